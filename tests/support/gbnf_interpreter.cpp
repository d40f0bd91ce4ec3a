#include "support/gbnf_interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <tuple>

namespace hearth::test {
namespace {

constexpr std::size_t repeats_max = 2000;  // libllama refuses more

std::u32string to_code_points(std::string_view text) {
  std::u32string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t n = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    char32_t c = n == 1 ? lead : lead & (0xFFu >> (n + 1));
    for (std::size_t k = 1; k < n && i + k < text.size(); ++k) {
      c = (c << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3F);
    }
    out += c;
    i += n;
  }
  return out;
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

bool name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

}  // namespace

class GbnfReader {
 public:
  GbnfReader(std::string_view text, Gbnf& out) : text_(text), out_(out) {}

  Result<> read() {
    skip(/*lines=*/true);
    while (!text_.empty()) {
      const std::string name = TRY(read_name());
      skip(false);
      if (!take("::=")) return error("expected ::=");
      skip(true);
      const std::size_t rule = number_of(name);
      Gbnf::Rule body = TRY(read_choice(false));
      if (defined_.contains(rule)) return error("rule " + name + " is defined twice");
      defined_.insert(rule);
      out_.rules_[rule] = std::move(body);
      if (!text_.empty() && !take("\n")) return error("expected the end of a line");
      skip(true);
    }
    for (const auto& [name, rule] : out_.names_) {
      if (!defined_.contains(rule)) return error("undefined rule " + name);
    }
    if (!out_.names_.contains("root")) return error("no rule root");
    out_.root_ = out_.names_["root"];
    return {};
  }

 private:
  std::unexpected<Error> error(const std::string& what) {
    return fail(Code::invalid_argument,
                fmt::format("{} before '{}'", what, text_.substr(0, 60)));
  }
  bool take(std::string_view token) {
    if (!text_.starts_with(token)) return false;
    text_.remove_prefix(token.size());
    return true;
  }
  void skip(bool lines) {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\t' || (lines && text_[0] == '\n'))) {
      text_.remove_prefix(1);
    }
  }
  std::size_t number_of(const std::string& name) {
    const auto [entry, added] = out_.names_.try_emplace(name, out_.rules_.size());
    if (added) out_.rules_.emplace_back();
    return entry->second;
  }
  std::size_t fresh(Gbnf::Rule rule) {
    out_.rules_.push_back(std::move(rule));
    return out_.rules_.size() - 1;
  }
  static Gbnf::Element call(std::size_t rule) {
    Gbnf::Element element;
    element.kind = Gbnf::Element::Kind::rule;
    element.rule = rule;
    return element;
  }

  Result<std::string> read_name() {
    std::size_t n = 0;
    while (n < text_.size() && name_character(text_[n])) ++n;
    if (n == 0) return error("expected a name");
    std::string name(text_.substr(0, n));
    text_.remove_prefix(n);
    return name;
  }

  Result<Gbnf::Rule> read_choice(bool group) {
    Gbnf::Rule rule;
    do {
      skip(true);
      rule.push_back(TRY(read_sequence(group)));
    } while (take("|"));
    return rule;
  }

  Result<Gbnf::Sequence> read_sequence(bool group) {
    Gbnf::Sequence sequence;
    while (true) {
      skip(group);
      if (text_.empty() || text_[0] == '|' || text_[0] == ')' || text_[0] == '\n') return sequence;
      const std::size_t start = sequence.size();
      TRY(read_item(sequence));
      TRY(read_repetition(sequence, start));
    }
  }

  Result<> read_item(Gbnf::Sequence& sequence) {
    if (take("\"")) {
      while (!take("\"")) {
        if (text_.empty() || text_[0] == '\n') return error("unfinished literal");
        const char32_t c = TRY(read_character());
        Gbnf::Element element;
        element.ranges = {{c, c}};
        sequence.push_back(element);
      }
    } else if (take("[")) {
      Gbnf::Element element;
      element.negated = take("^");
      while (!take("]")) {
        if (text_.empty()) return error("unfinished class");
        const char32_t first = TRY(read_character());
        char32_t last = first;
        if (text_.size() > 1 && text_[0] == '-' && text_[1] != ']') {
          text_.remove_prefix(1);
          last = TRY(read_character());
        }
        if (last < first) return error("reversed range");
        element.ranges.emplace_back(first, last);
      }
      sequence.push_back(element);
    } else if (take("<[")) {
      std::int32_t id = 0;
      while (!text_.empty() && text_[0] >= '0' && text_[0] <= '9') {
        id = id * 10 + (text_[0] - '0');
        text_.remove_prefix(1);
      }
      if (!take("]>")) return error("unfinished token");
      const auto found = out_.token_texts_.find(id);
      if (found == out_.token_texts_.end()) return error("unknown token");
      for (const char32_t c : to_code_points(found->second)) {
        Gbnf::Element element;
        element.ranges = {{c, c}};
        sequence.push_back(element);
      }
    } else if (take("(")) {
      Gbnf::Rule rule = TRY(read_choice(true));
      skip(true);
      if (!take(")")) return error("expected )");
      sequence.push_back(call(fresh(std::move(rule))));
    } else {
      sequence.push_back(call(number_of(TRY(read_name()))));
    }
    return {};
  }

  Result<char32_t> read_character() {
    if (!take("\\")) {
      const auto lead = static_cast<unsigned char>(text_[0]);
      const std::size_t n = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
      const char32_t c = to_code_points(text_.substr(0, n))[0];
      text_.remove_prefix(n);
      return c;
    }
    const char kind = text_.empty() ? '\0' : text_[0];
    if (!text_.empty()) text_.remove_prefix(1);
    const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    if (digits > 0) {
      if (text_.size() < digits) return error("unfinished escape");
      const auto value = static_cast<char32_t>(std::stoul(std::string(text_.substr(0, digits)),
                                                          nullptr, 16));
      text_.remove_prefix(digits);
      return value;
    }
    switch (kind) {
      case 'n': return '\n';
      case 'r': return '\r';
      case 't': return '\t';
      case '"':
      case '\\':
      case '[':
      case ']': return static_cast<char32_t>(kind);
      default: return error("unknown escape");
    }
  }

  Result<> read_repetition(Gbnf::Sequence& sequence, std::size_t start) {
    std::size_t min = 0;
    std::size_t max = SIZE_MAX;
    if (take("*")) {
    } else if (take("+")) {
      min = 1;
    } else if (take("?")) {
      max = 1;
    } else if (take("{")) {
      min = read_number();
      max = min;
      if (take(",")) max = text_.starts_with("}") ? SIZE_MAX : read_number();
      if (!take("}")) return error("unfinished repetition");
    } else {
      return {};
    }
    if (min > repeats_max || (max != SIZE_MAX && max > repeats_max)) return error("too many times");
    if (sequence.size() == start) return error("nothing to repeat");
    const Gbnf::Sequence unit(sequence.begin() + static_cast<std::ptrdiff_t>(start),
                              sequence.end());
    // A literal of several characters repeats its last one only in no grammar of ours.
    if (unit.size() > 1) return error("repetition of a literal; use a group");
    sequence.resize(start);
    for (std::size_t i = 0; i < min; ++i) sequence.push_back(unit[0]);
    if (max == SIZE_MAX) {
      const std::size_t rule = fresh({});
      out_.rules_[rule] = {{unit[0], call(rule)}, {}};
      sequence.push_back(call(rule));
    } else if (max > min) {
      std::size_t inner = fresh({{unit[0]}, {}});
      for (std::size_t i = min + 1; i < max; ++i) inner = fresh({{unit[0], call(inner)}, {}});
      sequence.push_back(call(inner));
    }
    return {};
  }
  std::size_t read_number() {
    std::size_t value = 0;
    while (!text_.empty() && text_[0] >= '0' && text_[0] <= '9' && value < 1'000'000) {
      value = value * 10 + static_cast<std::size_t>(text_[0] - '0');
      text_.remove_prefix(1);
    }
    return value;
  }

  std::string_view text_;
  Gbnf& out_;
  std::set<std::size_t> defined_;
};

Result<Gbnf> Gbnf::parse(std::string_view text, std::map<std::int32_t, std::string> token_texts) {
  Gbnf out;
  out.token_texts_ = std::move(token_texts);
  TRY(GbnfReader(text, out).read());
  TRY(out.check());
  return out;
}

// Left recursion, also through rules that may be empty.
Result<> Gbnf::check() const {
  std::vector<bool> empty(rules_.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t r = 0; r < rules_.size(); ++r) {
      if (empty[r]) continue;
      empty[r] = std::any_of(rules_[r].begin(), rules_[r].end(), [&](const Sequence& s) {
        return std::all_of(s.begin(), s.end(), [&](const Element& e) {
          return e.kind == Element::Kind::rule && empty[e.rule];
        });
      });
      changed = changed || empty[r];
    }
  }
  std::vector<int> mark(rules_.size());
  std::function<bool(std::size_t)> loops = [&](std::size_t r) {
    if (mark[r] == 1) return true;
    if (mark[r] == 2) return false;
    mark[r] = 1;
    for (const Sequence& sequence : rules_[r]) {
      for (const Element& element : sequence) {
        if (element.kind != Element::Kind::rule) break;
        if (loops(element.rule)) return true;
        if (!empty[element.rule]) break;
      }
    }
    mark[r] = 2;
    return false;
  };
  for (std::size_t r = 0; r < rules_.size(); ++r) {
    if (loops(r)) return fail(Code::invalid_argument, "left recursion");
  }
  return {};
}

bool Gbnf::run(std::string_view text, bool whole) const {
  // Stacks share their tails, as nodes of a list.
  struct Cell {
    const Sequence* sequence;
    std::size_t position;
    const Cell* below;
  };
  std::vector<std::unique_ptr<Cell>> cells;
  std::map<std::tuple<const Sequence*, std::size_t, const Cell*>, const Cell*> known;
  const auto cell = [&](const Sequence* s, std::size_t p, const Cell* below) {
    const auto [entry, added] = known.try_emplace({s, p, below}, nullptr);
    if (added) {
      cells.push_back(std::make_unique<Cell>(Cell{s, p, below}));
      entry->second = cells.back().get();
    }
    return entry->second;
  };
  std::set<const Cell*> current;
  bool done = false;
  std::set<const Cell*> seen;
  std::function<void(const Cell*)> enter = [&](const Cell* at) {
    if (at == nullptr) {
      done = true;
      return;
    }
    if (!seen.insert(at).second) return;
    if (at->position == at->sequence->size()) {
      enter(at->below);
      return;
    }
    const Element& element = (*at->sequence)[at->position];
    if (element.kind == Element::Kind::characters) {
      current.insert(at);
      return;
    }
    const Cell* after = at->position + 1 == at->sequence->size()
                            ? at->below
                            : cell(at->sequence, at->position + 1, at->below);
    for (const Sequence& sequence : rules_[element.rule]) enter(cell(&sequence, 0, after));
  };
  for (const Sequence& sequence : rules_[root_]) enter(cell(&sequence, 0, nullptr));
  for (const char32_t c : to_code_points(text)) {
    const std::set<const Cell*> before = std::exchange(current, {});
    seen.clear();
    done = false;
    for (const Cell* at : before) {
      const Element& element = (*at->sequence)[at->position];
      const bool inside =
          std::any_of(element.ranges.begin(), element.ranges.end(),
                      [&](const auto& r) { return c >= r.first && c <= r.second; });
      if (inside != element.negated) enter(cell(at->sequence, at->position + 1, at->below));
    }
    if (current.empty() && !done) return false;
  }
  return !whole || done;
}

bool Gbnf::matches(std::string_view text) const { return run(text, true); }
bool Gbnf::accepts_prefix(std::string_view text) const { return run(text, false); }

// Steps of the shortest derivation of each rule.
std::vector<std::size_t> Gbnf::shortest() const {
  std::vector<std::size_t> cost(rules_.size(), SIZE_MAX / 4);
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t r = 0; r < rules_.size(); ++r) {
      for (const Sequence& sequence : rules_[r]) {
        std::size_t sum = 1;
        for (const Element& e : sequence) {
          sum += e.kind == Element::Kind::rule ? std::min(cost[e.rule], SIZE_MAX / 8) : 1;
          sum = std::min(sum, SIZE_MAX / 8);
        }
        if (sum < cost[r]) {
          cost[r] = sum;
          changed = true;
        }
      }
    }
  }
  return cost;
}

void Gbnf::derive_rule(std::size_t rule, Random& random, std::size_t limit, std::string& out,
                       const std::vector<std::size_t>& cost) const {
  const auto price = [&](const Sequence& sequence) {
    std::size_t sum = 0;
    for (const Element& e : sequence) sum += e.kind == Element::Kind::rule ? cost[e.rule] : 1;
    return sum;
  };
  const Rule& choices = rules_[rule];
  const Sequence* chosen = &choices[random.below(choices.size())];
  if (out.size() > limit) {
    chosen = &*std::min_element(choices.begin(), choices.end(), [&](const auto& a, const auto& b) {
      return price(a) < price(b);
    });
  }
  for (const Element& element : *chosen) {
    if (element.kind == Element::Kind::rule) {
      derive_rule(element.rule, random, limit, out, cost);
      continue;
    }
    char32_t c = 'x';
    if (element.negated) {
      do {
        c = static_cast<char32_t>(random.below(0x250));
      } while (std::any_of(element.ranges.begin(), element.ranges.end(),
                           [&](const auto& r) { return c >= r.first && c <= r.second; }));
    } else {
      // Ends of ranges and ASCII are more interesting than the vast middle.
      const auto& range = element.ranges[random.below(element.ranges.size())];
      const std::uint64_t width = std::uint64_t{range.second} - range.first + 1;
      c = random.chance(0.2) ? range.second
                             : static_cast<char32_t>(range.first + random.below(std::min<std::uint64_t>(width, 96)));
    }
    append_utf8(out, c);
  }
}

std::string Gbnf::derive(Random& random, std::size_t size) const {
  std::string out;
  derive_rule(root_, random, size, out, shortest());
  return out;
}

}  // namespace hearth::test
