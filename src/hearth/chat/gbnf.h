#pragma once
// Builds a grammar in GBNF, the notation of libllama's grammar sampler (version 0.7). Rules with
// equal bodies are made once. Pure; bounded: beyond rules_max everything fails in `text`.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/chat/char_set.h"

namespace hearth::chat {

// "text", with what GBNF needs escaped. Empty text gives "".
std::string gbnf_literal(std::string_view text);
// [a-z]; the empty set has no class in GBNF and must not get here.
std::string gbnf_class(const CharSet& set);

class GbnfBuilder {
 public:
  // Id of a marker that is one token of the vocabulary; nullopt: spell it out. A grammar with
  // token ids makes the model write the token itself, not its spelling.
  using TokenId = std::function<std::optional<std::int32_t>(std::string_view)>;
  static constexpr std::size_t rules_max = 20'000;
  static constexpr std::size_t bytes_max = 4 << 20;
  // More repetitions are cut (a tighter grammar, never a looser one): a million characters or items.
  static constexpr std::uint64_t repeats_max = 1'000'000;

  explicit GbnfBuilder(TokenId token_id = {}) : token_id_(std::move(token_id)) {}

  // Name of a rule with this body. `hint` is for readers.
  std::string add(std::string_view hint, std::string body);
  // For rules that refer to themselves: a name now, its body later.
  std::string reserve(std::string_view hint);
  void define(const std::string& name, std::string body);

  std::string marker(std::string_view text) const;

  // `unit` between min and max times (no max: any number), in rules of bounded size: libllama
  // writes repetitions out and refuses large ones. Empty where `min` is beyond repeats_max: it cannot be
  // written.
  std::string repeat(const std::string& unit, std::uint64_t min, std::optional<std::uint64_t> max);

  // The whole grammar; resource_exhausted when it has grown out of bounds.
  Result<std::string> text(const std::string& root_body) const;

 private:
  struct Rule {
    std::string name;
    std::string body;
  };
  TokenId token_id_;
  std::vector<Rule> rules_;
  std::map<std::string, std::size_t> index_of_;
  std::map<std::string, std::string> name_of_body_;
  std::size_t bytes_ = 0;
};

}  // namespace hearth::chat
