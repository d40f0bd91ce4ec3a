#pragma once
// A text that two models are compared on, as tokens, and in which order it is scored.
//
// Long texts are read through windows: each scores its second half, so that every token has at least
// half a window before it. A window is scored in blocks, the unit of work that is kept or repeated.
// The plan follows from the token counts and the options alone. Pure.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/model/token.h"

namespace hearth::eval {

// What a token is part of. Calls and control tokens are few and would drown in a mean over all.
enum class TokenKind : std::uint8_t {
  text,      // prose or code outside a transcript
  read,      // of a transcript: what the model was given (instructions, questions, results)
  thinking,  // what it wrote
  answer,
  tool_call,  // names and arguments
  control,    // markup: roles, begin and end of thinking, calls and turns
};
inline constexpr std::size_t token_kinds = 6;
std::string_view token_kind_name(TokenKind kind);

struct ScoredText {
  std::string name;        // the file, or the file and the line of a transcript
  std::string text_class;  // "writing", "code", ...; the user's own words
  std::vector<Token> tokens;
  std::vector<TokenKind> kinds;  // one for each token
};

inline constexpr std::uint64_t kl_tokens_max = 4'000'000;  // of all texts together
inline constexpr std::uint32_t kl_texts_max = 100'000;
inline constexpr std::uint32_t window_tokens_max = 1u << 20;
inline constexpr std::uint32_t block_positions = 512;

struct WindowOptions {
  std::uint32_t window_tokens = 4096;  // the model sees at most so many at once; at least 2
  std::uint32_t skip_tokens = 0;       // at the beginning of each text: read, not scored
  bool operator==(const WindowOptions&) const = default;
};

struct ScoreBlock {
  std::uint32_t text = 0;           // index
  std::uint32_t begin = 0;          // the model reads tokens [begin, end)
  std::uint32_t from = 0, end = 0;  // scored: tokens [from, end); from > begin
  std::uint32_t positions() const { return end - from; }
  bool operator==(const ScoreBlock&) const = default;
};

Result<> check_windows(const WindowOptions& options);
// In the order of the texts. Texts of fewer than two tokens, or all skipped, have no block.
std::vector<ScoreBlock> plan_blocks(std::span<const std::uint32_t> text_tokens,
                                    const WindowOptions& options);

}  // namespace hearth::eval
