// What parses must print to something that parses to the same range.
#include <cstdint>
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/net/content_range.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::net;
  const auto range = parse_content_range({reinterpret_cast<const char*>(data), size});
  if (!range) return 0;
  CHECK(range->span || range->total_bytes);
  if (range->span) CHECK(range->span->bytes() > 0);
  const auto again = parse_content_range(content_range_text(*range));
  CHECK(again.has_value());
  CHECK(*again == *range);
  return 0;
}
