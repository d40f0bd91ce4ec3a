#pragma once
// How a request carries its prompt: a line of JSON, then the token ids as little-endian 32-bit
// numbers to the end of the body (content type prompt_type). A long prompt is so neither written
// as text nor parsed. For people with a shell, plain JSON with a member "tokens" means the same.
//
// Pure; thread-safe.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/bytes.h"
#include "hearth/base/json.h"
#include "hearth/model/token.h"

namespace hearth::node {

inline constexpr const char* prompt_type = "application/vnd.hearth.prompt";

struct PromptBody {
  Json head;
  std::vector<Token> tokens;
};

// The first part of a body of prompt_type; the tokens' own bytes follow it.
std::string prompt_head(const Json& head);
// `vocabulary` bounds the ids; 0 leaves them unchecked.
Result<PromptBody> read_prompt(std::string_view content_type, ByteSpan body,
                               std::uint32_t vocabulary);

Json tokens_json(std::span<const Token> tokens);
Result<std::vector<Token>> tokens_from_json(const Json& object, std::string_view key,
                                            std::uint32_t vocabulary);

}  // namespace hearth::node
