#include "hearth/chat/pattern.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/utf8.h"
#include "hearth/chat/char_set.h"
#include "hearth/chat/pattern_parser.h"

namespace hearth::chat {
namespace {

constexpr std::size_t compiled_max = 16 * Pattern::nodes_max;

// The characters that stand for themselves in a JSON string.
CharSet json_plain() {
  return complement({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}, {0x7F, 0x7F}});
}

// Escapes for the characters of a set that cannot stand for themselves.
std::string json_escapes(const CharSet& set) {
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : " | ") + text; };
  for (char32_t c = 0; c < 0x80; ++c) {
    if (!contains(set, c) || (c >= 0x20 && c != '"' && c != '\\')) continue;
    switch (c) {
      case '"': add(gbnf_literal("\\\"")); break;
      case '\\': add(gbnf_literal("\\\\")); break;
      case '\n': add(gbnf_literal("\\n")); break;
      case '\r': add(gbnf_literal("\\r")); break;
      case '\t': add(gbnf_literal("\\t")); break;
      case '\b': add(gbnf_literal("\\b")); break;
      case '\f': add(gbnf_literal("\\f")); break;
      default: add(gbnf_literal(fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c))));
    }
  }
  return out;
}

std::uint64_t multiply(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t ceiling = 1ull << 40;
  return a != 0 && b > ceiling / a ? ceiling : a * b;
}

// "" in GBNF for the empty string; an impossible character makes the whole branch impossible.
std::string node_rule(const Pattern::Node& node, GbnfBuilder& grammar, StringMode mode) {
  using Kind = Pattern::Node::Kind;
  switch (node.kind) {
    case Kind::set: return character_rule(grammar, node.set, mode);
    case Kind::sequence: {
      std::string out;
      for (const auto& child : node.children) {
        const std::string part = node_rule(child, grammar, mode);
        if (part.empty()) return {};
        out += (out.empty() ? "" : " ") + part;
      }
      return out.empty() ? "\"\"" : out;
    }
    case Kind::choice: {
      std::string out;
      for (const auto& child : node.children) {
        const std::string part = node_rule(child, grammar, mode);
        if (!part.empty()) out += (out.empty() ? "" : " | ") + part;
      }
      return out.empty() ? out : "(" + out + ")";
    }
    case Kind::repeat: {
      const std::string part = node_rule(node.children[0], grammar, mode);
      if (part.empty()) return node.min == 0 ? "\"\"" : std::string();
      return grammar.repeat(part, node.min, node.max);
    }
  }
  return {};
}

}  // namespace

Pattern::Lengths pattern_lengths(const Pattern::Node& node) {
  using Kind = Pattern::Node::Kind;
  switch (node.kind) {
    case Kind::set: return {1, 1};
    case Kind::sequence: {
      Pattern::Lengths sum{0, 0};
      for (const auto& child : node.children) {
        const auto part = pattern_lengths(child);
        sum.min += part.min;
        if (sum.max) sum.max = part.max ? std::optional(*sum.max + *part.max) : std::nullopt;
      }
      return sum;
    }
    case Kind::choice: {
      Pattern::Lengths all = pattern_lengths(node.children[0]);
      for (const auto& child : node.children) {
        const auto part = pattern_lengths(child);
        all.min = std::min(all.min, part.min);
        if (all.max) all.max = part.max ? std::optional(std::max(*all.max, *part.max)) : std::nullopt;
      }
      return all;
    }
    case Kind::repeat: {
      const auto part = pattern_lengths(node.children[0]);
      Pattern::Lengths out{multiply(part.min, node.min), std::nullopt};
      if (part.max == 0u) out.max = 0;
      if (part.max && node.max) out.max = multiply(*part.max, *node.max);
      return out;
    }
  }
  return {};
}

CharSet raw_writable() { return complement({{0, 8}, {11, 31}, {0x7F, 0x7F}}); }

std::string character_rule(GbnfBuilder& grammar, const CharSet& set, StringMode mode) {
  if (mode == StringMode::raw) {
    // One fixed character is what the schema asks for; from a wider set "<" is left out, so that
    // no text can close the tag around it.
    const bool fixed = set.size() == 1 && set[0].first == set[0].last;
    const CharSet writable = fixed ? set : without(intersect(set, raw_writable()), '<');
    return writable.empty() ? std::string() : grammar.add("char", gbnf_class(writable));
  }
  const CharSet plain = intersect(set, json_plain());
  const std::string escapes = json_escapes(set);
  std::string body = plain.empty() ? std::string() : gbnf_class(plain);
  if (!escapes.empty()) body += (body.empty() ? "" : " | ") + escapes;
  return body.empty() ? body : grammar.add("char", body);
}

std::string any_string_character(GbnfBuilder& grammar, StringMode mode) {
  if (mode == StringMode::raw) return character_rule(grammar, complement({}), mode);
  // Escapes as models write them; no surrogates, which alone would not be a character.
  return grammar.add("char", gbnf_class(json_plain()) +
                                 " | \"\\\\\" ([\\x22\\x5C\\x2Fbfnrt] | \"u\" "
                                 "([0-9a-cefA-CEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}))");
}

std::optional<std::u32string> code_points(std::string_view text) {
  if (!is_valid_utf8(text)) return std::nullopt;
  std::u32string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    char32_t code = length == 1 ? lead : lead & (0x7Fu >> length);
    for (std::size_t k = 1; k < length; ++k) {
      code = (code << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3Fu);
    }
    out += code;
    i += length;
  }
  return out;
}

Result<Pattern> Pattern::parse(std::string_view pattern) {
  Pattern out;
  out.root_ = TRY(parse_pattern(pattern));
  TRY(out.compile());
  return out;
}

Pattern::Lengths Pattern::lengths() const { return pattern_lengths(root_); }

std::string Pattern::to_gbnf(GbnfBuilder& grammar, StringMode mode) const {
  const std::string body = node_rule(root_, grammar, mode);
  return body.empty() ? body : grammar.add("pattern", body);
}

Result<> Pattern::compile() {
  const std::size_t end = TRY(push({Step::Kind::match, 0, 0, 0}));
  start_ = TRY(compile(root_, end));
  return {};
}

Result<std::size_t> Pattern::push(Step step) {
  if (steps_.size() >= nodes_max) {
    return fail(Code::unsupported,
                fmt::format("the pattern has more than {} states; use smaller counts", nodes_max));
  }
  steps_.push_back(step);
  return steps_.size() - 1;
}

// Builds backwards: returns the entry of `node` when `next` follows it.
Result<std::size_t> Pattern::compile(const Node& node, std::size_t next) {
  // Groups of nothing make no steps, however often they are repeated.
  if (++compiled_ > compiled_max) return fail(Code::unsupported, "the pattern repeats too much; use smaller counts");
  switch (node.kind) {
    case Node::Kind::set:
      sets_.push_back(node.set);
      return push({Step::Kind::set, sets_.size() - 1, next, 0});
    case Node::Kind::sequence:
      for (std::size_t i = node.children.size(); i-- > 0;) {
        next = TRY(compile(node.children[i], next));
      }
      return next;
    case Node::Kind::choice: {
      std::size_t entry = TRY(compile(node.children.back(), next));
      for (std::size_t i = node.children.size() - 1; i-- > 0;) {
        const std::size_t branch = TRY(compile(node.children[i], next));
        entry = TRY(push({Step::Kind::split, 0, branch, entry}));
      }
      return entry;
    }
    case Node::Kind::repeat: break;
  }
  std::size_t entry = next;
  if (node.max) {
    for (std::uint32_t i = node.min; i < *node.max; ++i) {
      const std::size_t body = TRY(compile(node.children[0], entry));
      entry = TRY(push({Step::Kind::split, 0, body, next}));
    }
  } else {
    const std::size_t loop = TRY(push({Step::Kind::split, 0, 0, next}));
    const std::size_t body = TRY(compile(node.children[0], loop));
    steps_[loop].next = body;
    entry = loop;
  }
  for (std::uint32_t i = 0; i < node.min; ++i) entry = TRY(compile(node.children[0], entry));
  return entry;
}

bool Pattern::matches(std::string_view text) const {
  const auto characters = code_points(text);
  if (!characters) return false;
  std::vector<bool> seen(steps_.size());
  std::vector<std::size_t> current;
  std::vector<std::size_t> pending;
  const auto enter = [&](std::size_t step) {
    pending.push_back(step);
    while (!pending.empty()) {
      const std::size_t at = pending.back();
      pending.pop_back();
      if (seen[at]) continue;
      seen[at] = true;
      if (steps_[at].kind == Step::Kind::split) {
        pending.push_back(steps_[at].other);
        pending.push_back(steps_[at].next);
      } else {
        current.push_back(at);
      }
    }
  };
  enter(start_);
  for (const char32_t c : *characters) {
    const std::vector<std::size_t> before = std::exchange(current, {});
    std::fill(seen.begin(), seen.end(), false);
    for (const std::size_t at : before) {
      if (steps_[at].kind == Step::Kind::set && contains(sets_[steps_[at].set], c)) {
        enter(steps_[at].next);
      }
    }
  }
  return std::any_of(current.begin(), current.end(), [&](std::size_t at) {
    return steps_[at].kind == Step::Kind::match;
  });
}

}  // namespace hearth::chat
