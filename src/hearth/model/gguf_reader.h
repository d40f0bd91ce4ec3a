#pragma once
// Private to gguf*.cpp: reads the header front to back in blocks, so that a source over a network
// sees few requests, and hands out numbers and strings that are bounded before they are allocated.
// Blocks grow with what has been read: little is read beyond a short header.

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "hearth/base/bytes.h"
#include "hearth/base/result.h"
#include "hearth/model/byte_source.h"

namespace hearth::model {

class GgufReader {
 public:
  static constexpr std::size_t block_bytes_min = 64U << 10;
  static constexpr std::size_t block_bytes_max = 1U << 20;

  GgufReader(ByteSource& source, std::string_view name, std::uint64_t header_bytes_max)
      : source_(source),
        name_(name),
        end_(std::min(source.size_bytes(), header_bytes_max)),
        header_bytes_max_(header_bytes_max) {}

  std::uint64_t position() const { return position_; }
  std::uint64_t remaining() const { return end_ - position_; }

  template <class T>
    requires std::is_arithmetic_v<T>
  Result<T> number(std::string_view what) {
    T value;
    TRY(fill(std::as_writable_bytes(std::span(&value, 1)), what));
    return value;
  }
  Result<std::string> string(std::uint64_t bytes_max, std::string_view what);
  // `bytes` have been compared with remaining() by this call before they are allocated.
  Result<Bytes> bytes(std::uint64_t bytes, std::string_view what);

  // "model.gguf: offset 24: " + text
  std::unexpected<Error> bad(Code code, std::string_view text) const {
    return bad_at(position_, code, text);
  }
  std::unexpected<Error> bad_at(std::uint64_t offset, Code code, std::string_view text) const;

 private:
  Result<> fill(std::span<std::byte> out, std::string_view what);
  Result<> need(std::uint64_t bytes, std::string_view what) const;

  ByteSource& source_;
  std::string name_;
  std::uint64_t end_;
  std::uint64_t header_bytes_max_;
  std::uint64_t position_ = 0;
  std::size_t next_block_bytes_ = block_bytes_min;
  Bytes block_;
  std::uint64_t block_begin_ = 0;
};

}  // namespace hearth::model
