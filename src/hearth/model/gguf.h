#pragma once
// Reads the header of a GGUF file (versions 2 and 3, little endian): metadata and tensor table.
// It never reads weights. The layout of the format is that of ggml 0.27's gguf.h.
//
// Foreign bytes: every count and length is bounded by a constant below and by the bytes that
// remain, before anything is allocated. Memory stays below about five times the header.
// Errors name the file, the offset and what was expected: `corrupt` for damage and truncation,
// `unsupported` for big-endian files, other versions and tensor types ggml 0.27 does not have.
//
// A file may end with the last tensor or with the padding behind it up to the alignment. Anything
// longer is refused: it is another file, or a download that was laid out but never filled.
//
// Values: Gguf owns all it holds. Pure apart from the source it reads.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hearth/base/bytes.h"
#include "hearth/base/result.h"
#include "hearth/model/byte_source.h"

namespace hearth::model {

inline constexpr std::uint64_t gguf_header_bytes_max = 512ULL << 20;
inline constexpr std::uint64_t gguf_metadata_count_max = 65'536;
inline constexpr std::uint64_t gguf_tensor_count_max = 262'144;
inline constexpr std::uint64_t gguf_key_bytes_max = 65'535;
inline constexpr std::uint64_t gguf_string_bytes_max = 16ULL << 20;
inline constexpr std::uint64_t gguf_array_items_max = 16ULL << 20;
inline constexpr std::uint64_t gguf_alignment_max = 1ULL << 20;
inline constexpr std::size_t gguf_dimensions_max = 4;

enum class GgufType : std::uint32_t {
  u8 = 0, i8 = 1, u16 = 2, i16 = 3, u32 = 4, i32 = 5, f32 = 6, boolean = 7, string = 8, array = 9,
  u64 = 10, i64 = 11, f64 = 12,
};
std::string_view gguf_type_name(GgufType type);

// Numbers stay as they lie in the file (a vocabulary's scores need not become doubles);
// strings are split. Arrays of arrays are refused, as ggml refuses them.
struct GgufArray {
  GgufType item_type = GgufType::u8;
  std::uint64_t count = 0;
  Bytes numbers;                     // count * item size; empty for strings
  std::vector<std::string> strings;  // empty for numbers
  bool operator==(const GgufArray&) const = default;
};

// One metadata value with the type it had in the file.
struct GgufValue {
  GgufType type = GgufType::u8;
  std::variant<std::uint64_t, std::int64_t, double, bool, std::string, GgufArray> value;
  bool operator==(const GgufValue&) const = default;

  // Any whole number or boolean that fits; nothing otherwise.
  std::optional<std::uint64_t> as_unsigned() const;
  std::optional<double> as_number() const;
  const std::string* as_string() const { return std::get_if<std::string>(&value); }
  const GgufArray* as_array() const { return std::get_if<GgufArray>(&value); }
  // Item `index` of an array of numbers, or a scalar itself for every index.
  std::optional<std::uint64_t> unsigned_at(std::uint64_t index) const;
};

using GgufMetadata = std::map<std::string, GgufValue, std::less<>>;
const GgufValue* find_value(const GgufMetadata& metadata, std::string_view key);

struct GgufTensor {
  std::string name;
  std::uint32_t type = 0;                       // ggml type number, always a known one
  std::array<std::uint64_t, gguf_dimensions_max> shape{1, 1, 1, 1};  // ne[0] first; unused are 1
  std::uint64_t offset = 0;                     // from data_offset
  std::uint64_t bytes = 0;
  std::uint64_t values() const { return shape[0] * shape[1] * shape[2] * shape[3]; }
  bool operator==(const GgufTensor&) const = default;
};

struct Gguf {
  std::uint32_t version = 0;
  std::uint64_t alignment = 0;
  std::uint64_t data_offset = 0;  // where tensor data begins
  std::uint64_t file_bytes = 0;
  GgufMetadata metadata;
  std::vector<GgufTensor> tensors;  // in file order
};

// `name` is what errors call the source (a path).
Result<Gguf> read_gguf(ByteSource& source, std::string_view name);
Result<Gguf> read_gguf_file(const std::filesystem::path& path);

}  // namespace hearth::model
