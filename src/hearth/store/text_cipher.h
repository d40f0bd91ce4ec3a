#pragma once
// Who hides a text that must not lie on the disk in the clear: the vault, in the program. A place names
// the record and the field, and is vouched for: a text that was moved elsewhere does not open.

#include <string>
#include <string_view>

#include "hearth/base/result.h"

namespace hearth::store {

class TextCipher {
 public:
  virtual ~TextCipher() = default;
  // unavailable, with what to do about it, while there is no key. What it gives is plain ASCII.
  virtual Result<std::string> seal(std::string_view text, std::string_view place) = 0;
  virtual Result<std::string> open(std::string_view sealed, std::string_view place) = 0;
};

}  // namespace hearth::store
