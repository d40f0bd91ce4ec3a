#pragma once
// The regular expressions of JSON Schema's `pattern`, as far as a grammar can express them:
// characters, classes, groups, |, quantifiers, ^ and $ at the ends. Look-around, back references
// and word boundaries are refused. One expression serves both sides: it becomes a grammar, and it
// checks strings. Matching is by sets of states: linear in the text, whatever the pattern. Pure.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/chat/gbnf.h"

namespace hearth::chat {

// How a string stands in the output.
enum class StringMode : std::uint8_t {
  json,  // between quotation marks, with JSON's escapes
  raw,   // as it is, between tags: no "<" inside, unless the schema spells it
};

class Pattern {
 public:
  static constexpr std::size_t nodes_max = 20'000;

  // `unsupported` or `invalid_argument` with the position in the pattern.
  static Result<Pattern> parse(std::string_view pattern);

  // Whether the pattern occurs in the text (anchors say where). Text that is not UTF-8: false.
  bool matches(std::string_view text) const;

  // Lengths in code points of the strings that match as a whole; nullopt: no upper end.
  struct Lengths {
    std::uint64_t min = 0;
    std::optional<std::uint64_t> max;
  };
  Lengths lengths() const;

  // The same pattern for strings of these lengths, for grammars only: `matches` is still that of
  // the whole pattern. Perhaps tighter than needed; nullopt when it cannot be done.
  std::optional<Pattern> fitted(std::uint64_t length_min,
                                std::optional<std::uint64_t> length_max) const;

  // A rule for the whole string, without quotation marks.
  std::string to_gbnf(GbnfBuilder& grammar, StringMode mode) const;

  // Matching takes time in proportion to this and to the text.
  std::size_t size() const { return steps_.size(); }
  // What it took to make; its memory is in proportion.
  std::size_t compiled_nodes() const { return compiled_; }

  struct Node {
    enum class Kind : std::uint8_t { set, sequence, choice, repeat };
    Kind kind = Kind::sequence;  // an empty sequence is the empty string
    CharSet set;
    std::vector<Node> children;
    std::uint32_t min = 0;
    std::optional<std::uint32_t> max;
  };

 private:
  struct Step {
    enum class Kind : std::uint8_t { set, split, match };
    Kind kind = Kind::match;
    std::size_t set = 0;
    std::size_t next = 0;
    std::size_t other = 0;
  };
  Result<> compile();
  Result<std::size_t> compile(const Node& node, std::size_t next);
  Result<std::size_t> push(Step step);

  Node root_;
  std::vector<Step> steps_;
  std::vector<CharSet> sets_;
  std::size_t start_ = 0;
  std::size_t compiled_ = 0;  // nodes, each as often as it is repeated
};

// A part may be repeated so often, at most.
inline constexpr std::uint32_t pattern_repeats_max = 10'000;
Pattern::Lengths pattern_lengths(const Pattern::Node& node);

// One character of a string, for schemas without a pattern.
std::string any_string_character(GbnfBuilder& grammar, StringMode mode);
// A rule for one character out of a set; empty when nothing of the set can be written.
std::string character_rule(GbnfBuilder& grammar, const CharSet& set, StringMode mode);

// Characters that may stand in raw text: no control characters but tab and newline.
CharSet raw_writable();

// UTF-8 to code points; nullopt when it is not UTF-8.
std::optional<std::u32string> code_points(std::string_view text);

}  // namespace hearth::chat
