#include "hearth/base/bytes.h"

#include <fmt/format.h>

#include <cstdlib>
#include <utility>

#include "hearth/base/check.h"

namespace hearth {

Result<Buffer> Buffer::create(std::size_t bytes) {
  Buffer buffer;
  if (bytes == 0) return buffer;
  buffer.data_ = static_cast<std::byte*>(std::malloc(bytes));
  if (buffer.data_ == nullptr) {
    return fail(Code::resource_exhausted, fmt::format("no memory for a buffer of {} bytes", bytes));
  }
  buffer.size_ = bytes;
  return buffer;
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    std::free(data_);
    data_ = other.data_;
    size_ = other.size_;
    other.release();
  }
  return *this;
}

Buffer::~Buffer() { std::free(data_); }

void Buffer::shrink(std::size_t bytes) {
  CHECK(bytes <= size_);
  size_ = bytes;
}

std::unexpected<Error> ByteReader::truncated(std::string_view what, std::uint64_t count) const {
  return fail(Code::corrupt, fmt::format("ends at offset {}: {} needs {} bytes, {} left", offset(),
                                         what, count, remaining()));
}

std::string to_hex(ByteSpan bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    const auto value = std::to_integer<unsigned>(b);
    out.push_back(digits[value >> 4]);
    out.push_back(digits[value & 15]);
  }
  return out;
}

Result<Bytes> from_hex(std::string_view text) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  if (text.size() % 2 != 0) return fail(Code::invalid_argument, "hexadecimal text of odd length");
  Bytes out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) {
      return fail(Code::invalid_argument,
                  fmt::format("'{}' at position {} is not lower-case hexadecimal",
                              text.substr(i, 2), i));
    }
    out.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return out;
}

}  // namespace hearth
