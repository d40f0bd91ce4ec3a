// A lock that parses prints to one that parses to the same.
#include <cstdint>
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/check/lock.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::check;
  const auto lock = parse_lock({reinterpret_cast<const char*>(data), size}, "hearth.lock");
  if (!lock) return 0;
  const auto again = parse_lock(lock_text(*lock), "hearth.lock");
  CHECK(again.has_value());
  CHECK(*again == *lock);
  return 0;
}
