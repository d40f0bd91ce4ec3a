#pragma once
// Turns token pieces into text that may be shown: holds back half UTF-8 characters and anything
// that may be the beginning of a stop string. Pure; one object per answer.

#include <string>
#include <string_view>
#include <vector>

namespace hearth::engine {

class TextAssembler {
 public:
  explicit TextAssembler(std::vector<std::string> stop_strings)
      : stop_strings_(std::move(stop_strings)) {}

  // Text that became certain with this piece (may be empty). After a stop string is complete,
  // what stood before it is returned and stopped() is true; later pieces add nothing.
  std::string add(std::string_view piece);
  // The answer ends without a stop string: what was held back.
  std::string finish();
  bool stopped() const { return stopped_; }
  // The stop string that ended the text.
  const std::string& stop_string() const { return stop_string_; }

 private:
  std::size_t certain_bytes() const;

  std::vector<std::string> stop_strings_;
  std::string pending_;
  std::string stop_string_;
  bool stopped_ = false;
};

}  // namespace hearth::engine
