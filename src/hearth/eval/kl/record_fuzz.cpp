// Files of hearth eval kl: whatever the bytes, what is read back is written the same again.

#include <algorithm>

#include "hearth/base/check.h"
#include "hearth/eval/kl/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::eval;
  const hearth::ByteSpan bytes = std::as_bytes(std::span(data, size));
  const auto parsed = parse_header(bytes);
  if (parsed) {
    CHECK(parsed->bytes <= size);
    for (const ScoreBlock& block : parsed->header.plan()) {
      CHECK(block.from > block.begin && block.end > block.from);
    }
    CHECK(parse_header(encode_header(parsed->header)).has_value());
  }
  constexpr std::uint32_t top = 3, vocabulary = 10;
  if (const auto rows = parse_reference_rows(bytes, top, vocabulary)) {
    CHECK(std::ranges::equal(encode_rows(*rows), bytes));
  }
  if (const auto rows = parse_comparison_rows(bytes)) {
    CHECK(std::ranges::equal(encode_rows(*rows), bytes));
  }
  return 0;
}
