// Any text as a join code: one that reads back to itself, or a refusal.
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/node/membership/join_code.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  const auto code = node::parse_join_code({reinterpret_cast<const char*>(data), size});
  if (!code) return 0;
  const auto again = node::parse_join_code(node::join_code_text(*code));
  CHECK(again && *again == *code);
  CHECK(node::invited_key_digest(*code));
  return 0;
}
