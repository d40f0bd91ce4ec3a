#pragma once
// Bytes and how to read and write little-endian numbers in them without trusting a length.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "hearth/base/result.h"

namespace hearth {

static_assert(std::endian::native == std::endian::little, "formats are little-endian");

using ByteSpan = std::span<const std::byte>;
using Bytes = std::vector<std::byte>;

inline ByteSpan as_byte_span(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class BufferPool;  // buffer_pool.h

// A block of memory whose content starts undefined: megabytes of KV are not zeroed before being
// filled. Large ones are mapped by themselves, on huge pages where the kernel gives them.
class Buffer {
 public:
  Buffer() = default;
  // resource_exhausted when the memory is not to be had.
  static Result<Buffer> create(std::size_t bytes);
  Buffer(Buffer&& other) noexcept { take_from(other); }
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::span<std::byte> span() { return {data_, size_}; }
  ByteSpan span() const { return {data_, size_}; }
  // Keeps the first `bytes`; never grows.
  void shrink(std::size_t bytes);
  // Leaves out the first `bytes`, which stay allocated: what follows a header needs no copy.
  void drop_front(std::size_t bytes);

 private:
  friend class BufferPool;
  void take_from(Buffer& other) noexcept;
  void free_memory();
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t front_ = 0;      // dropped before data_
  std::size_t allocated_ = 0;  // at least front_ + size_
  std::shared_ptr<BufferPool> pool_;  // where the memory goes back to, if anywhere
};

// Reads numbers from a span; every read is bounds-checked and names its offset when it fails.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes, std::uint64_t base_offset = 0)
      : bytes_(bytes), base_offset_(base_offset) {}

  template <class T>
    requires std::is_arithmetic_v<T>
  Result<T> read(std::string_view what) {
    if (remaining() < sizeof(T)) return truncated(what, sizeof(T));
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }
  Result<ByteSpan> read_bytes(std::uint64_t count, std::string_view what) {
    if (remaining() < count) return truncated(what, count);
    const ByteSpan out = bytes_.subspan(position_, static_cast<std::size_t>(count));
    position_ += static_cast<std::size_t>(count);
    return out;
  }

  std::size_t remaining() const { return bytes_.size() - position_; }
  std::size_t position() const { return position_; }
  std::uint64_t offset() const { return base_offset_ + position_; }

 private:
  std::unexpected<Error> truncated(std::string_view what, std::uint64_t count) const;
  ByteSpan bytes_;
  std::uint64_t base_offset_;
  std::size_t position_ = 0;
};

// Appends little-endian numbers.
class ByteWriter {
 public:
  template <class T>
    requires std::is_arithmetic_v<T>
  void write(T value) {
    const auto* raw = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), raw, raw + sizeof(T));
  }
  void write_bytes(ByteSpan bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  Bytes take() { return std::move(bytes_); }
  const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

std::string to_hex(ByteSpan bytes);
Result<Bytes> from_hex(std::string_view text);

}  // namespace hearth
