// What parses must print and parse again to the same value.
#include <cstdint>
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto first = hearth::parse_json(text);
  if (!first) return 0;
  const std::string printed = hearth::dump_json(*first);
  const auto second = hearth::parse_json(printed);
  CHECK(second.has_value());
  CHECK(hearth::dump_json(*second) == printed);
  return 0;
}
