#pragma once
// Writes small GGUF files for tests: metadata and tensors in the order given. Right by default;
// tests damage the bytes afterwards. Tensor data is a pattern that depends on the tensor's name,
// or absent (header_only) for models too large to hold, which a VirtualSource then pretends to have.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hearth/base/bytes.h"
#include "hearth/base/check.h"
#include "hearth/model/ggml_type.h"
#include "hearth/model/gguf.h"

namespace hearth::testing {

class GgufWriter {
 public:
  explicit GgufWriter(std::uint32_t version = 3) : version_(version) {}

  GgufWriter& text(std::string_view key, std::string_view value) {
    begin(key, model::GgufType::string);
    put_string(metadata_, value);
    return *this;
  }
  GgufWriter& u32(std::string_view key, std::uint32_t value) {
    return number(key, model::GgufType::u32, value);
  }
  GgufWriter& f32(std::string_view key, float value) {
    return number(key, model::GgufType::f32, value);
  }
  template <class T>
  GgufWriter& number(std::string_view key, model::GgufType type, T value) {
    begin(key, type);
    metadata_.write(value);
    return *this;
  }
  GgufWriter& texts(std::string_view key, const std::vector<std::string>& values) {
    begin_array(key, model::GgufType::string, values.size());
    for (const std::string& value : values) put_string(metadata_, value);
    return *this;
  }
  template <class T>
  GgufWriter& numbers(std::string_view key, model::GgufType type, const std::vector<T>& values) {
    begin_array(key, type, values.size());
    for (const T value : values) metadata_.write(value);
    return *this;
  }
  // `type`: ggml's number. Shape with ne[0] first.
  GgufWriter& tensor(std::string_view name, std::uint32_t type, std::vector<std::uint64_t> shape) {
    tensors_.push_back({std::string(name), type, std::move(shape)});
    return *this;
  }
  GgufWriter& alignment(std::uint32_t value) {
    alignment_ = value;
    return u32("general.alignment", value);
  }

  // Everything up to where tensor data begins.
  Bytes header_only() const {
    ByteWriter out;
    out.write_bytes(as_byte_span("GGUF"));
    out.write(version_);
    out.write(static_cast<std::uint64_t>(tensors_.size()));
    out.write(metadata_count_);
    out.write_bytes(metadata_.bytes());
    std::uint64_t offset = 0;
    for (const Tensor& tensor : tensors_) {
      put_string(out, tensor.name);
      out.write(static_cast<std::uint32_t>(tensor.shape.size()));
      for (const std::uint64_t n : tensor.shape) out.write(n);
      out.write(tensor.type);
      out.write(offset);
      offset = align(offset + bytes_of(tensor));
    }
    while (out.bytes().size() % alignment_ != 0) out.write(std::uint8_t{0});
    return out.take();
  }
  Bytes whole() const {
    Bytes out = header_only();
    for (const Tensor& tensor : tensors_) {
      const auto seed = static_cast<std::uint8_t>(std::hash<std::string>{}(tensor.name));
      for (std::uint64_t i = 0; i < align(bytes_of(tensor)); ++i) {
        out.push_back(static_cast<std::byte>((i * 31 + seed) & 0xff));
      }
    }
    return out;
  }
  std::uint64_t data_bytes() const {
    std::uint64_t out = 0;
    for (const Tensor& tensor : tensors_) out = align(out + bytes_of(tensor));
    return out;
  }

 private:
  struct Tensor {
    std::string name;
    std::uint32_t type;
    std::vector<std::uint64_t> shape;
  };

  static void put_string(ByteWriter& out, std::string_view value) {
    out.write(static_cast<std::uint64_t>(value.size()));
    out.write_bytes(as_byte_span(value));
  }
  void begin(std::string_view key, model::GgufType type) {
    ++metadata_count_;
    put_string(metadata_, key);
    metadata_.write(static_cast<std::uint32_t>(type));
  }
  void begin_array(std::string_view key, model::GgufType type, std::size_t count) {
    begin(key, model::GgufType::array);
    metadata_.write(static_cast<std::uint32_t>(type));
    metadata_.write(static_cast<std::uint64_t>(count));
  }
  std::uint64_t align(std::uint64_t bytes) const {
    return (bytes + alignment_ - 1) / alignment_ * alignment_;
  }
  static std::uint64_t bytes_of(const Tensor& tensor) {
    const model::GgmlType* type = model::find_ggml_type(tensor.type);
    if (!type) return 4;  // a test of unknown types
    std::uint64_t values = 1;
    for (const std::uint64_t n : tensor.shape) values *= n;
    return values / type->block_values * type->block_bytes;
  }

  std::uint32_t version_;
  std::uint32_t alignment_ = 32;
  std::uint64_t metadata_count_ = 0;
  ByteWriter metadata_;
  std::vector<Tensor> tensors_;
};

// A header in memory with `data_bytes` of zeros behind it that nobody has to store.
class VirtualSource final : public model::ByteSource {
 public:
  explicit VirtualSource(const GgufWriter& writer)
      : header_(writer.header_only()), size_(header_.size() + writer.data_bytes()) {}
  std::uint64_t size_bytes() const override { return size_; }
  Result<> read_at(std::uint64_t offset, std::span<std::byte> out) override {
    if (offset > size_ || out.size() > size_ - offset) return fail(Code::corrupt, "beyond the end");
    std::memset(out.data(), 0, out.size());
    if (offset < header_.size()) {
      const auto begin = static_cast<std::size_t>(offset);
      std::memcpy(out.data(), header_.data() + begin, std::min(out.size(), header_.size() - begin));
    }
    return {};
  }

 private:
  Bytes header_;
  std::uint64_t size_;
};

}  // namespace hearth::testing
