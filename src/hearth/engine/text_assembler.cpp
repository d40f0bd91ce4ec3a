#include "hearth/engine/text_assembler.h"

#include <algorithm>
#include <utility>

#include "hearth/base/utf8.h"

namespace hearth::engine {
namespace {

// Length of the longest end of `text` that is a beginning of `stop`.
std::size_t open_stop_bytes(std::string_view text, std::string_view stop) {
  for (std::size_t length = std::min(text.size(), stop.size() - 1); length > 0; --length) {
    if (text.ends_with(stop.substr(0, length))) return length;
  }
  return 0;
}

}  // namespace

std::string TextAssembler::add(std::string_view piece) {
  if (stopped_) return {};
  pending_.append(piece);
  std::size_t first = std::string::npos;
  for (const std::string& stop : stop_strings_) {
    const std::size_t at = stop.empty() ? std::string::npos : pending_.find(stop);
    if (at < first) {
      first = at;
      stop_string_ = stop;
    }
  }
  if (first != std::string::npos) {
    stopped_ = true;
    std::string out = pending_.substr(0, first);
    pending_.clear();
    return out;
  }
  const std::size_t certain = certain_bytes();
  std::string out = pending_.substr(0, certain);
  pending_.erase(0, certain);
  return out;
}

std::size_t TextAssembler::certain_bytes() const {
  std::size_t certain = complete_utf8_prefix(pending_);
  for (const std::string& stop : stop_strings_) {
    if (!stop.empty()) certain = std::min(certain, pending_.size() - open_stop_bytes(pending_, stop));
  }
  return certain;
}

std::string TextAssembler::finish() {
  if (stopped_) return {};
  return std::exchange(pending_, {});
}

}  // namespace hearth::engine
