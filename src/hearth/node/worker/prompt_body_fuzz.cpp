// Bodies that carry a prompt: whatever the bytes, what is read back has the same head and tokens.

#include "hearth/base/check.h"
#include "hearth/node/worker/prompt_body.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  const ByteSpan body = std::as_bytes(std::span(data, size));
  constexpr std::uint32_t vocabulary = 160'000;
  (void)node::read_prompt("application/json", body, vocabulary);
  const auto read = node::read_prompt(node::prompt_type, body, vocabulary);
  if (!read) return 0;
  for (const Token token : read->tokens) CHECK(token >= 0 && token < 160'000);
  const std::string again = node::prompt_head(read->head) +
                            std::string(as_text(std::as_bytes(std::span(read->tokens))));
  CHECK(node::read_prompt(node::prompt_type, as_byte_span(again), vocabulary)->tokens == read->tokens);
  return 0;
}
