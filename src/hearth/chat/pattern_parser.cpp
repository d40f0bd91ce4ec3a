#include "hearth/chat/pattern_parser.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/chat/char_set.h"

namespace hearth::chat {
namespace {

using Node = Pattern::Node;

constexpr int group_depth_max = 32;

CharSet digits() { return {{'0', '9'}}; }
CharSet word() { return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}; }
CharSet space() {
  return normalise({{'\t', '\r'}, {' ', ' '}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200A},
                    {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000},
                    {0xFEFF, 0xFEFF}});
}
CharSet line_ends() { return {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}; }

Node set_node(CharSet set) { return {Node::Kind::set, std::move(set), {}, 0, std::nullopt}; }

Node anything() {
  Node any{Node::Kind::repeat, {}, {}, 0, std::nullopt};
  any.children.push_back(set_node(complement({})));
  return any;
}

bool can_be_empty(const Node& node) {
  switch (node.kind) {
    case Node::Kind::set: return false;
    case Node::Kind::sequence:
      return std::all_of(node.children.begin(), node.children.end(), can_be_empty);
    case Node::Kind::choice:
      return std::any_of(node.children.begin(), node.children.end(), can_be_empty);
    case Node::Kind::repeat: return node.min == 0 || can_be_empty(node.children[0]);
  }
  return true;
}

class Parser {
 public:
  explicit Parser(std::u32string text) : text_(std::move(text)) {}

  // Alternatives may each have anchors of their own.
  Result<Node> parse() {
    Node choice{Node::Kind::choice, {}, {}, 0, std::nullopt};
    do {
      choice.children.push_back(TRY(parse_anchored()));
    } while (take('|'));
    if (position_ < text_.size()) return unexpected("unbalanced ')'");
    if (choice.children.size() > 1) return choice;
    return std::move(choice.children[0]);
  }

 private:
  bool more() const { return position_ < text_.size(); }
  char32_t peek() const { return text_[position_]; }
  bool take(char32_t c) {
    if (!more() || peek() != c) return false;
    ++position_;
    return true;
  }
  std::unexpected<Error> unexpected(std::string_view what, Code code = Code::invalid_argument) {
    return fail(code, fmt::format("{} at character {} of the pattern", what, position_));
  }

  Result<Node> parse_anchored() {
    Node sequence;
    bool open_start = true;
    while (take('^')) open_start = false;
    Node body = TRY(parse_sequence(0));
    bool open_end = true;
    while (take('$')) open_end = false;
    if (more() && peek() != '|' && peek() != ')') {
      return unexpected("'$' before the end", Code::unsupported);
    }
    if (open_start) sequence.children.push_back(anything());
    sequence.children.push_back(std::move(body));
    if (open_end) sequence.children.push_back(anything());
    return sequence;
  }

  Result<Node> parse_choice(int depth) {
    Node choice{Node::Kind::choice, {}, {}, 0, std::nullopt};
    do {
      choice.children.push_back(TRY(parse_sequence(depth)));
    } while (take('|'));
    if (choice.children.size() > 1) return choice;
    return std::move(choice.children[0]);
  }

  Result<Node> parse_sequence(int depth) {
    Node sequence;
    while (more() && peek() != '|' && peek() != ')' && peek() != '$') {
      Node item = TRY(parse_item(depth));
      sequence.children.push_back(TRY(parse_quantifier(std::move(item))));
    }
    return sequence;
  }

  Result<Node> parse_item(int depth) {
    const char32_t c = peek();
    ++position_;
    switch (c) {
      case '.': return set_node(complement(line_ends()));
      case '[': return parse_class();
      case '\\': return parse_escape();
      case '(': return parse_group(depth + 1);
      case '^': return unexpected("'^' after the start", Code::unsupported);
      case '*':
      case '+':
      case '?': return unexpected("nothing to repeat");
      default: return set_node({{c, c}});
    }
  }

  Result<Node> parse_group(int depth) {
    if (depth > group_depth_max) return unexpected("groups nested too deep", Code::unsupported);
    if (take('?')) {
      if (take('<')) {
        if (take('=') || take('!')) return unexpected("look-behind", Code::unsupported);
        while (more() && peek() != '>') ++position_;
        if (!take('>')) return unexpected("unfinished group name");
      } else if (!take(':')) {
        return unexpected("look-ahead or flags in a group", Code::unsupported);
      }
    }
    Node inner = TRY(parse_choice(depth));
    if (more() && peek() == '$') return unexpected("'$' inside a group", Code::unsupported);
    if (!take(')')) return unexpected("missing ')'");
    return inner;
  }

  Result<Node> parse_quantifier(Node item) {
    std::uint32_t min = 0;
    std::optional<std::uint32_t> max;
    if (!more()) return item;
    if (take('*')) {
    } else if (take('+')) {
      min = 1;
    } else if (take('?')) {
      max = 1;
    } else if (peek() == '{') {
      const Counts counts = TRY(parse_counts());
      min = counts.first;
      max = counts.second;
    } else {
      return item;
    }
    take('?');  // lazy: the same strings
    if (more() && (peek() == '*' || peek() == '+' || peek() == '?' || peek() == '{')) {
      return unexpected("a quantifier after a quantifier");
    }
    if (!max && can_be_empty(item)) {
      return unexpected("endless repetition of what may be empty", Code::unsupported);
    }
    Node repeat{Node::Kind::repeat, {}, {}, min, max};
    repeat.children.push_back(std::move(item));
    return repeat;
  }

  using Counts = std::pair<std::uint32_t, std::optional<std::uint32_t>>;
  Result<Counts> parse_counts() {
    ++position_;
    const auto min = TRY(parse_number());
    auto max = min;
    if (take(',')) max = TRY(parse_number());
    if (!min || !take('}')) {
      return unexpected("'{' that is no quantifier; write \\{", Code::unsupported);
    }
    if (max && *max < *min) return unexpected("quantifier with its ends reversed");
    return Counts{*min, max};
  }

  Result<std::optional<std::uint32_t>> parse_number() {
    std::optional<std::uint32_t> number;
    while (more() && peek() >= '0' && peek() <= '9') {
      number = number.value_or(0) * 10 + static_cast<std::uint32_t>(peek() - '0');
      if (*number > pattern_repeats_max) {
        return unexpected(fmt::format("a count above {}", pattern_repeats_max), Code::unsupported);
      }
      ++position_;
    }
    return number;
  }

  Result<Node> parse_escape() {
    CharSet set = TRY(escape_set(/*in_class=*/false));
    return set_node(std::move(set));
  }

  Result<char32_t> parse_hex(int digits_wanted) {
    char32_t value = 0;
    for (int i = 0; i < digits_wanted; ++i) {
      if (!more()) return unexpected("unfinished escape");
      const char32_t c = peek();
      const bool decimal = c >= '0' && c <= '9';
      const char32_t lower = c | 0x20;
      if (!decimal && (lower < 'a' || lower > 'f')) return unexpected("not a hexadecimal digit");
      value = value * 16 + (decimal ? c - '0' : lower - 'a' + 10);
      ++position_;
    }
    return value;
  }

  Result<char32_t> parse_unicode() {
    if (take('{')) {
      char32_t value = 0;
      while (more() && peek() != '}' && value <= code_point_max) {
        value = value * 16 + TRY(parse_hex(1));
      }
      if (!take('}') || value > code_point_max) return unexpected("not a code point");
      return value;
    }
    const char32_t first = TRY(parse_hex(4));
    if (first < 0xD800 || first > 0xDBFF || position_ + 1 >= text_.size() || peek() != '\\' ||
        text_[position_ + 1] != 'u') {
      return first;
    }
    position_ += 2;
    const char32_t second = TRY(parse_hex(4));
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
  }

  Result<CharSet> escape_set(bool in_class) {
    if (!more()) return unexpected("unfinished escape");
    const char32_t c = peek();
    ++position_;
    const auto one = [](char32_t code) { return CharSet{{code, code}}; };
    switch (c) {
      case 'd': return digits();
      case 'D': return complement(digits());
      case 'w': return word();
      case 'W': return complement(word());
      case 's': return space();
      case 'S': return complement(space());
      case 'n': return one('\n');
      case 'r': return one('\r');
      case 't': return one('\t');
      case 'f': return one('\f');
      case 'v': return one('\v');
      case '0': return one(0);
      case 'x': return one(TRY(parse_hex(2)));
      case 'u': return one(TRY(parse_unicode()));
      case 'b':
        if (in_class) return one('\b');
        return unexpected("word boundary", Code::unsupported);
      case 'B': return unexpected("word boundary", Code::unsupported);
      case 'p':
      case 'P': return unexpected("Unicode property", Code::unsupported);
      default: break;
    }
    if (c >= '1' && c <= '9') return unexpected("back reference", Code::unsupported);
    const char32_t lower = c | 0x20;
    if (lower >= 'a' && lower <= 'z') return unexpected("unknown escape", Code::unsupported);
    return one(c);
  }

  Result<Node> parse_class() {
    const bool negated = take('^');
    CharSet set;
    while (true) {
      if (!more()) return unexpected("missing ']'");
      if (take(']')) break;
      const CharSet first = TRY(class_item());
      const bool single = first.size() == 1 && first[0].first == first[0].last;
      if (single && position_ + 1 < text_.size() && peek() == '-' && text_[position_ + 1] != ']') {
        ++position_;
        const CharSet last = TRY(class_item());
        if (last.size() != 1 || last[0].first != last[0].last) {
          return unexpected("range that ends in a class");
        }
        if (last[0].first < first[0].first) return unexpected("range with its ends reversed");
        set.push_back({first[0].first, last[0].first});
      } else {
        set.insert(set.end(), first.begin(), first.end());
      }
    }
    set = normalise(std::move(set));
    return set_node(negated ? complement(set) : std::move(set));
  }

  Result<CharSet> class_item() {
    if (!more()) return unexpected("missing ']'");
    const char32_t c = peek();
    ++position_;
    if (c == '\\') return escape_set(/*in_class=*/true);
    return CharSet{{c, c}};
  }

  std::u32string text_;
  std::size_t position_ = 0;
};

}  // namespace

Result<Pattern::Node> parse_pattern(std::string_view pattern) {
  auto text = code_points(pattern);
  if (!text) return fail(Code::invalid_argument, "the pattern is not valid UTF-8");
  return Parser(std::move(*text)).parse();
}

}  // namespace hearth::chat
