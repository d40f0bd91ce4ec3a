#pragma once
// A body whose length is not known beforehand: grows by doubling, up to a limit. Private to net.

#include <algorithm>
#include <cstring>

#include "hearth/base/bytes.h"

namespace hearth::net {

class GrowingBuffer {
 public:
  explicit GrowingBuffer(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // Takes the room for an announced length at once; more than the limit is refused by append.
  Result<> expect(std::uint64_t bytes) {
    return bytes > 0 && bytes <= bytes_max_ ? grow(static_cast<std::size_t>(bytes)) : Result<>();
  }
  bool has_room_for(std::uint64_t bytes) const { return bytes <= bytes_max_ - size_; }

  // resource_exhausted beyond the limit, or without memory.
  Result<> append(ByteSpan bytes) {
    if (!has_room_for(bytes.size())) {
      return fail(Code::resource_exhausted,
                  "a body of more than " + std::to_string(bytes_max_) + " bytes, the limit here");
    }
    if (bytes.empty()) return {};
    if (size_ + bytes.size() > buffer_.size()) {
      const auto doubled = std::min<std::uint64_t>(buffer_.size() * 2 + 4096, bytes_max_);
      TRY(grow(std::max(static_cast<std::size_t>(doubled), size_ + bytes.size())));
    }
    std::memcpy(buffer_.data() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
    return {};
  }

  std::size_t size() const { return size_; }
  Buffer take() {
    buffer_.shrink(size_);
    size_ = 0;
    return std::move(buffer_);
  }

 private:
  Result<> grow(std::size_t bytes) {
    Buffer larger = TRY(Buffer::create(bytes));
    if (size_ > 0) std::memcpy(larger.data(), buffer_.data(), size_);
    buffer_ = std::move(larger);
    return {};
  }

  std::uint64_t bytes_max_;
  Buffer buffer_;
  std::size_t size_ = 0;
};

}  // namespace hearth::net
