// Any text: a trace that parses is within the limits, and its rows make texts as long as they say.
#include <cstdint>
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/bench/trace.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::bench;
  const auto rows = parse_trace({reinterpret_cast<const char*>(data), size}, "trace");
  if (!rows) return 0;
  for (const TraceRow& row : *rows) {
    CHECK(row.prompt_tokens > 0 && row.prompt_tokens <= trace_tokens_max);
    if (row.prompt_tokens < 10'000) CHECK(row_text(row, 1, 512, 4).size() == row.prompt_tokens * 4U);
  }
  return 0;
}
