// Records of a session file: whatever parses is written back and read again the same.
#include <cstddef>
#include <cstdint>

#include "hearth/base/check.h"
#include "hearth/session/session_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::session;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto record = parse_record(text);
  if (!record) return 0;
  const std::string written = record_text(*record);
  const auto again = parse_record(written);
  CHECK(again);
  CHECK(record_text(*again) == written);
  return 0;
}
