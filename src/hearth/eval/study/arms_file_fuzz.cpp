#include <cstdint>
#include <string_view>

#include "hearth/eval/study/arms_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)hearth::eval::parse_arms({reinterpret_cast<const char*>(data), size}, "fuzz.toml");
  return 0;
}
