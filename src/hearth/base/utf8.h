#pragma once
// UTF-8 at the edges: tokens end in mid-character, files hold anything. Pure functions.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hearth {

bool is_valid_utf8(std::string_view text);
// Position of the first byte that is not part of a valid character; npos when all is valid.
std::size_t find_invalid_utf8(std::string_view text);
// Each invalid byte becomes U+FFFD.
std::string replace_invalid_utf8(std::string_view text);
// Length of the longest prefix that does not end inside a character that may still be completed.
std::size_t complete_utf8_prefix(std::string_view text);

// Text that arrives in pieces which may end inside a character: what may come next. Strict: no
// overlong forms, no surrogates, nothing beyond U+10FFFF (Unicode, table 3-7).
class Utf8Walk {
 public:
  // Whether the text so far and `bytes` can still become valid text.
  bool admits(std::string_view bytes) const;
  void take(std::string_view bytes);  // bytes that are not admitted start anew

 private:
  bool step(unsigned char byte);

  std::uint8_t missing_ = 0;  // continuation bytes of the character that is open
  unsigned char low_ = 0x80, high_ = 0xBF;  // of the next one
};

}  // namespace hearth
