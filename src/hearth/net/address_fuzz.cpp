// What parses must print to something that parses to the same address.
#include <cstdint>
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/net/address.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto address =
      hearth::net::parse_address({reinterpret_cast<const char*>(data), size});
  if (!address) return 0;
  const auto again = hearth::net::parse_address(address->text());
  CHECK(again.has_value());
  CHECK(*again == *address);
  return 0;
}
