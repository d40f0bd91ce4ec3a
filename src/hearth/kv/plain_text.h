#pragma once
// Text that travels in headers and ends on somebody's terminal.

#include <algorithm>
#include <string_view>

#include "hearth/base/utf8.h"

namespace hearth::kv {

// UTF-8 without control characters.
inline bool is_plain_text(std::string_view text) {
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  return is_valid_utf8(text) && std::none_of(text.begin(), text.end(), is_control);
}

}  // namespace hearth::kv
