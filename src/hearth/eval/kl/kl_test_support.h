#pragma once
// A model for tests: logits that follow from the last three tokens, and a shake that makes it another.

#include <cmath>

#include "hearth/base/random.h"
#include "hearth/eval/kl/compare.h"

namespace hearth::eval {

inline constexpr std::uint32_t toy_vocabulary = 400;

inline LogitsSource toy_model(double shake, std::uint64_t* rows_made = nullptr) {
  return [shake, rows_made](std::span<const Token> tokens, std::uint32_t from,
                            const LogitsRow& row) -> Result<> {
    std::vector<float> logits(toy_vocabulary);
    for (std::size_t i = from; i < tokens.size(); ++i) {
      std::uint64_t seed = 7;
      for (std::size_t back = 1; back <= 3 && back <= i; ++back) {
        seed = seed * 1'000'003 + static_cast<std::uint64_t>(tokens[i - back]);
      }
      Random random(seed), other(seed + 1);
      for (float& logit : logits) {
        logit = static_cast<float>(8 * random.uniform() + shake * (other.uniform() - 0.5));
      }
      if (rows_made != nullptr) ++*rows_made;
      TRY(row(logits));
    }
    return {};
  };
}

inline ScoredText toy_text(std::string name, std::string text_class, std::size_t tokens,
                           std::uint64_t seed) {
  Random random(seed);
  ScoredText out{
      .name = std::move(name), .text_class = std::move(text_class), .tokens = {}, .kinds = {}};
  for (std::size_t i = 0; i < tokens; ++i) {
    out.tokens.push_back(static_cast<Token>(random.below(toy_vocabulary)));
    out.kinds.push_back(static_cast<TokenKind>(random.below(token_kinds)));
  }
  return out;
}

inline RecordHeader toy_header() {
  RecordHeader out;
  out.model = {"base.gguf", "aa", "bb", "b1"};
  out.vocabulary = toy_vocabulary;
  out.top = 256;
  out.windows = {.window_tokens = 700, .skip_tokens = 0};
  out.texts = "cc";
  out.content = {toy_text("one", "writing", 1'500, 1), toy_text("two", "code", 600, 2),
                 toy_text("three", "code", 1, 3)};
  return out;
}

inline RecordHeader toy_comparison_header(const RecordFile& reference) {
  RecordHeader out;
  out.kind = RecordKind::comparison;
  out.model = {"candidate.gguf", "dd", "bb", "b1"};
  out.vocabulary = toy_vocabulary;
  out.top = 256;
  out.windows = reference.header().windows;
  out.reference = reference.digest().hex();
  return out;
}

}  // namespace hearth::eval
