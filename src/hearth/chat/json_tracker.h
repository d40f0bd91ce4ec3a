#pragma once
// Follows JSON byte by byte without keeping it. Internal to chat.

#include <cstddef>
#include <string_view>

namespace hearth::chat {

class JsonTracker {
 public:
  void push(char c) {
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
      return;
    }
    if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
      opened_ = true;
    } else if ((c == '}' || c == ']') && depth_ > 0) {
      --depth_;
    }
  }
  void push(std::string_view text) {
    for (const char c : text) push(c);
  }
  bool in_string() const { return in_string_; }
  // An object or array was opened, and all that was opened is closed.
  bool closed() const { return opened_ && depth_ == 0 && !in_string_; }

 private:
  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool opened_ = false;
};

}  // namespace hearth::chat
