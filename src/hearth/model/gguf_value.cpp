#include "hearth/model/gguf.h"

#include <cmath>
#include <cstring>

#include "hearth/model/gguf_reader.h"

namespace hearth::model {
namespace {

template <class T>
T item(const Bytes& numbers, std::uint64_t index) {
  T value;
  std::memcpy(&value, numbers.data() + index * sizeof(T), sizeof(T));
  return value;
}

template <class T>
std::optional<std::uint64_t> unsigned_item(const Bytes& numbers, std::uint64_t index) {
  const T value = item<T>(numbers, index);
  if constexpr (std::is_signed_v<T>) {
    if (value < 0) return std::nullopt;
  }
  return static_cast<std::uint64_t>(value);
}

std::optional<std::uint64_t> array_unsigned(const GgufArray& array, std::uint64_t index) {
  if (index >= array.count) return std::nullopt;
  switch (array.item_type) {
    case GgufType::u8: return unsigned_item<std::uint8_t>(array.numbers, index);
    case GgufType::i8: return unsigned_item<std::int8_t>(array.numbers, index);
    case GgufType::u16: return unsigned_item<std::uint16_t>(array.numbers, index);
    case GgufType::i16: return unsigned_item<std::int16_t>(array.numbers, index);
    case GgufType::u32: return unsigned_item<std::uint32_t>(array.numbers, index);
    case GgufType::i32: return unsigned_item<std::int32_t>(array.numbers, index);
    case GgufType::u64: return unsigned_item<std::uint64_t>(array.numbers, index);
    case GgufType::i64: return unsigned_item<std::int64_t>(array.numbers, index);
    case GgufType::boolean: return item<std::uint8_t>(array.numbers, index) != 0 ? 1 : 0;
    default: return std::nullopt;
  }
}

}  // namespace

std::string_view gguf_type_name(GgufType type) {
  switch (type) {
    case GgufType::u8: return "u8";
    case GgufType::i8: return "i8";
    case GgufType::u16: return "u16";
    case GgufType::i16: return "i16";
    case GgufType::u32: return "u32";
    case GgufType::i32: return "i32";
    case GgufType::f32: return "f32";
    case GgufType::boolean: return "bool";
    case GgufType::string: return "string";
    case GgufType::array: return "array";
    case GgufType::u64: return "u64";
    case GgufType::i64: return "i64";
    case GgufType::f64: return "f64";
  }
  return "?";
}

std::optional<std::uint64_t> GgufValue::as_unsigned() const {
  if (const auto* u = std::get_if<std::uint64_t>(&value)) return *u;
  if (const auto* i = std::get_if<std::int64_t>(&value)) {
    return *i < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(*i));
  }
  if (const auto* b = std::get_if<bool>(&value)) return *b ? 1 : 0;
  return std::nullopt;
}

std::optional<double> GgufValue::as_number() const {
  if (const auto* d = std::get_if<double>(&value)) {
    return std::isfinite(*d) ? std::optional(*d) : std::nullopt;
  }
  if (const auto* i = std::get_if<std::int64_t>(&value)) return static_cast<double>(*i);
  if (const auto* u = std::get_if<std::uint64_t>(&value)) return static_cast<double>(*u);
  return std::nullopt;
}

std::optional<std::uint64_t> GgufValue::unsigned_at(std::uint64_t index) const {
  if (const GgufArray* array = as_array()) return array_unsigned(*array, index);
  return as_unsigned();
}

const GgufValue* find_value(const GgufMetadata& metadata, std::string_view key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? nullptr : &found->second;
}

}  // namespace hearth::model
