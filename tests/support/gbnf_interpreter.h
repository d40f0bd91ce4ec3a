#pragma once
// A small reader of GBNF for tests: says whether a text follows a grammar, and derives random texts
// from one. It knows what our grammars use: literals, classes, groups, alternatives, ? * + {m,n},
// token ids. Slow and plain on purpose; it shares no code with what it tests.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/random.h"
#include "hearth/base/result.h"

namespace hearth::test {

class Gbnf {
 public:
  // invalid_argument for what libllama would refuse: syntax, undefined rules, left recursion.
  // `token_texts`: what <[id]> stands for.
  static Result<Gbnf> parse(std::string_view text,
                            std::map<std::int32_t, std::string> token_texts = {});

  bool matches(std::string_view text) const;
  // Whether `text` is the beginning of something the grammar generates.
  bool accepts_prefix(std::string_view text) const;
  // A random text; short branches are taken when it grows beyond about `size`.
  std::string derive(Random& random, std::size_t size = 200) const;

  std::size_t rule_count() const { return rules_.size(); }

 private:
  struct Element {
    enum class Kind : std::uint8_t { characters, rule };
    Kind kind = Kind::characters;
    std::vector<std::pair<char32_t, char32_t>> ranges;
    bool negated = false;
    std::size_t rule = 0;
  };
  using Sequence = std::vector<Element>;
  using Rule = std::vector<Sequence>;
  friend class GbnfReader;

  // A place in the grammar: what is still to come, innermost last.
  using Stack = std::vector<const Element*>;
  struct State;
  bool run(std::string_view text, bool whole) const;
  Result<> check() const;
  std::vector<std::size_t> shortest() const;
  void derive_rule(std::size_t rule, Random& random, std::size_t limit, std::string& out,
                   const std::vector<std::size_t>& shortest) const;

  std::vector<Rule> rules_;
  std::map<std::string, std::size_t> names_;
  std::map<std::int32_t, std::string> token_texts_;
  std::size_t root_ = 0;
};

}  // namespace hearth::test
