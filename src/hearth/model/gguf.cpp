#include "hearth/model/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "hearth/model/ggml_type.h"
#include "hearth/model/gguf_reader.h"

namespace hearth::model {
namespace {

constexpr std::uint64_t default_alignment = 32;  // GGUF_DEFAULT_ALIGNMENT
constexpr std::size_t tensor_name_bytes_max = 1'024;
// The least a metadata entry (key length, type, one byte) and a tensor entry can take.
constexpr std::uint64_t metadata_entry_bytes_min = 8 + 4 + 1;
constexpr std::uint64_t tensor_entry_bytes_min = 8 + 4 + 8 + 4 + 8;

std::uint64_t item_bytes(GgufType type) {
  switch (type) {
    case GgufType::u8: case GgufType::i8: case GgufType::boolean: return 1;
    case GgufType::u16: case GgufType::i16: return 2;
    case GgufType::u32: case GgufType::i32: case GgufType::f32: return 4;
    case GgufType::u64: case GgufType::i64: case GgufType::f64: return 8;
    case GgufType::string: case GgufType::array: break;
  }
  return 0;
}

std::string printable(ByteSpan bytes) {
  std::string out;
  for (const std::byte b : bytes) {
    const auto c = static_cast<unsigned char>(b);
    out += c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '.';
  }
  return out;
}

// --- values -------------------------------------------------------------------------------------

Result<GgufType> read_type(GgufReader& reader, std::string_view what) {
  const auto number = TRY(reader.number<std::uint32_t>(what));
  if (number > static_cast<std::uint32_t>(GgufType::f64)) {
    return reader.bad_at(reader.position() - 4, Code::corrupt,
                         fmt::format("{}: value type {} is not one of 0 to 12", what, number));
  }
  return static_cast<GgufType>(number);
}

Result<GgufArray> read_array(GgufReader& reader, std::string_view key) {
  GgufArray array;
  array.item_type = TRY(read_type(reader, key));
  array.count = TRY(reader.number<std::uint64_t>(key));
  if (array.item_type == GgufType::array) {
    return reader.bad(Code::unsupported, fmt::format("{}: arrays of arrays are not read", key));
  }
  if (array.count > gguf_array_items_max) {
    return reader.bad(Code::corrupt, fmt::format("{} claims {} items; at most {} are accepted", key,
                                                 array.count, gguf_array_items_max));
  }
  if (array.item_type != GgufType::string) {
    array.numbers = TRY(reader.bytes(array.count * item_bytes(array.item_type), key));
    return array;
  }
  if (array.count > reader.remaining() / sizeof(std::uint64_t)) {
    return reader.bad(Code::corrupt, fmt::format("{} claims {} strings, but {} bytes are left", key,
                                                 array.count, reader.remaining()));
  }
  array.strings.reserve(static_cast<std::size_t>(array.count));
  for (std::uint64_t i = 0; i < array.count; ++i) {
    array.strings.push_back(TRY(reader.string(gguf_string_bytes_max, key)));
  }
  return array;
}

template <class Stored, class Read>
Result<GgufValue> read_number(GgufReader& reader, GgufType type, std::string_view key) {
  const auto number = TRY(reader.number<Read>(key));
  return GgufValue{type, static_cast<Stored>(number)};
}

Result<GgufValue> read_value(GgufReader& reader, GgufType type, std::string_view key) {
  switch (type) {
    case GgufType::u8: return read_number<std::uint64_t, std::uint8_t>(reader, type, key);
    case GgufType::u16: return read_number<std::uint64_t, std::uint16_t>(reader, type, key);
    case GgufType::u32: return read_number<std::uint64_t, std::uint32_t>(reader, type, key);
    case GgufType::u64: return read_number<std::uint64_t, std::uint64_t>(reader, type, key);
    case GgufType::i8: return read_number<std::int64_t, std::int8_t>(reader, type, key);
    case GgufType::i16: return read_number<std::int64_t, std::int16_t>(reader, type, key);
    case GgufType::i32: return read_number<std::int64_t, std::int32_t>(reader, type, key);
    case GgufType::i64: return read_number<std::int64_t, std::int64_t>(reader, type, key);
    case GgufType::f32: return read_number<double, float>(reader, type, key);
    case GgufType::f64: return read_number<double, double>(reader, type, key);
    case GgufType::boolean: {
      const auto byte = TRY(reader.number<std::uint8_t>(key));
      return GgufValue{type, byte != 0};
    }
    case GgufType::string: {
      auto text = TRY(reader.string(gguf_string_bytes_max, key));
      return GgufValue{type, std::move(text)};
    }
    case GgufType::array: {
      auto array = TRY(read_array(reader, key));
      return GgufValue{type, std::move(array)};
    }
  }
  return reader.bad(Code::corrupt, "unknown value type");
}

Result<GgufMetadata> read_metadata(GgufReader& reader, std::uint64_t count) {
  GgufMetadata metadata;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t at = reader.position();
    auto key = TRY(reader.string(gguf_key_bytes_max, fmt::format("metadata key {}", i)));
    const auto type = TRY(read_type(reader, key));
    auto value = TRY(read_value(reader, type, key));
    const auto [place, added] = metadata.try_emplace(std::move(key), std::move(value));
    if (!added) {
      return reader.bad_at(at, Code::corrupt, fmt::format("metadata key {} occurs twice", place->first));
    }
  }
  return metadata;
}

// --- header and tensors -------------------------------------------------------------------------

struct Counts {
  std::uint32_t version = 0;
  std::uint64_t tensors = 0;
  std::uint64_t metadata = 0;
};

Result<Counts> read_counts(GgufReader& reader) {
  const auto magic = TRY(reader.bytes(4, "the magic"));
  if (as_text(magic) != "GGUF") {
    return reader.bad_at(0, Code::corrupt,
                         fmt::format("not a GGUF file: it begins with {} (\"{}\") instead of "
                                     "47475546 (\"GGUF\")", to_hex(magic), printable(magic)));
  }
  Counts counts;
  counts.version = TRY(reader.number<std::uint32_t>("the version"));
  if (counts.version != 0 && (counts.version & 0xffffU) == 0) {
    return reader.bad_at(4, Code::unsupported,
                         "a big-endian GGUF file; convert it (gguf-py: gguf_convert_endian)");
  }
  if (counts.version != 2 && counts.version != 3) {
    return reader.bad_at(4, Code::unsupported,
                         fmt::format("GGUF version {}; versions 2 and 3 are read", counts.version));
  }
  counts.tensors = TRY(reader.number<std::uint64_t>("the tensor count"));
  counts.metadata = TRY(reader.number<std::uint64_t>("the metadata count"));
  const std::uint64_t left = reader.remaining();
  if (counts.tensors > std::min(gguf_tensor_count_max, left / tensor_entry_bytes_min)) {
    return reader.bad_at(8, Code::corrupt, fmt::format("{} tensors cannot stand in this header "
                         "(limit {}, {} bytes left)", counts.tensors, gguf_tensor_count_max, left));
  }
  if (counts.metadata > std::min(gguf_metadata_count_max, left / metadata_entry_bytes_min)) {
    return reader.bad_at(16, Code::corrupt, fmt::format("{} metadata entries cannot stand in this "
                         "header (limit {}, {} bytes left)", counts.metadata,
                         gguf_metadata_count_max, left));
  }
  return counts;
}

Result<std::uint64_t> read_alignment(const GgufReader& reader, const GgufMetadata& metadata) {
  const GgufValue* value = find_value(metadata, "general.alignment");
  if (!value) return default_alignment;
  const auto alignment = value->as_unsigned();
  if (value->type != GgufType::u32 || !alignment || *alignment == 0 ||
      (*alignment & (*alignment - 1)) != 0 || *alignment > gguf_alignment_max) {
    return reader.bad(Code::corrupt, fmt::format("general.alignment must be a u32 power of two up "
                                                 "to {}", gguf_alignment_max));
  }
  return *alignment;
}

// Bytes of a tensor; nothing on overflow or when its rows do not fill whole blocks.
std::optional<std::uint64_t> tensor_bytes(const GgufTensor& tensor, const GgmlType& type) {
  std::uint64_t values = 1;
  for (const std::uint64_t n : tensor.shape) {
    if (n == 0 || values > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / n) {
      return std::nullopt;
    }
    values *= n;
  }
  if (tensor.shape[0] % type.block_values != 0) return std::nullopt;
  const std::uint64_t blocks = values / type.block_values;
  if (blocks > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / type.block_bytes) {
    return std::nullopt;
  }
  return blocks * type.block_bytes;
}

Result<GgufTensor> read_tensor(GgufReader& reader, std::uint64_t index) {
  GgufTensor tensor;
  tensor.name = TRY(reader.string(tensor_name_bytes_max, fmt::format("the name of tensor {}", index)));
  const std::uint64_t at = reader.position();
  const auto dimensions = TRY(reader.number<std::uint32_t>(tensor.name));
  if (dimensions > gguf_dimensions_max) {
    return reader.bad_at(at, Code::corrupt, fmt::format("tensor {} has {} dimensions; at most {} "
                         "exist", tensor.name, dimensions, gguf_dimensions_max));
  }
  for (std::uint32_t d = 0; d < dimensions; ++d) {
    tensor.shape[d] = TRY(reader.number<std::uint64_t>(tensor.name));
  }
  tensor.type = TRY(reader.number<std::uint32_t>(tensor.name));
  const GgmlType* type = find_ggml_type(tensor.type);
  if (!type) {
    return reader.bad_at(reader.position() - 4, Code::unsupported,
                         fmt::format("tensor {} has ggml type {}, which ggml 0.27 does not know",
                                     tensor.name, tensor.type));
  }
  tensor.offset = TRY(reader.number<std::uint64_t>(tensor.name));
  const auto bytes = tensor_bytes(tensor, *type);
  if (!bytes) {
    return reader.bad_at(at, Code::corrupt,
                         fmt::format("tensor {}: shape [{}, {}, {}, {}] is impossible for type {} "
                                     "({} values per block)", tensor.name, tensor.shape[0],
                                     tensor.shape[1], tensor.shape[2], tensor.shape[3], type->name,
                                     type->block_values));
  }
  tensor.bytes = *bytes;
  return tensor;
}

// Every tensor aligned, inside the file, touching no other; nothing of size behind the last.
Result<> check_places(const GgufReader& reader, const Gguf& gguf) {
  std::vector<const GgufTensor*> order;
  order.reserve(gguf.tensors.size());
  for (const GgufTensor& tensor : gguf.tensors) order.push_back(&tensor);
  std::ranges::sort(order, {}, &GgufTensor::offset);
  const std::uint64_t room = gguf.file_bytes > gguf.data_offset ? gguf.file_bytes - gguf.data_offset : 0;
  std::uint64_t end = 0;
  for (const GgufTensor* tensor : order) {
    const auto place = [&](std::string_view text) {
      return reader.bad(Code::corrupt, fmt::format("tensor {} ({} bytes at {} of the data): {}",
                                                   tensor->name, tensor->bytes, tensor->offset, text));
    };
    if (tensor->offset % gguf.alignment != 0) {
      return place(fmt::format("its offset is not a multiple of {}", gguf.alignment));
    }
    if (tensor->offset < end) return place("it overlaps another tensor");
    if (tensor->offset > room || tensor->bytes > room - tensor->offset) {
      return place(fmt::format("the file is cut short: it holds {} bytes of data", room));
    }
    end = tensor->offset + tensor->bytes;
  }
  const std::uint64_t padding = (gguf.alignment - end % gguf.alignment) % gguf.alignment;
  if (room > end + padding) {
    return reader.bad_at(gguf.data_offset + end, Code::corrupt,
                         fmt::format("{} bytes follow the last tensor; only padding to {} may",
                                     room - end, gguf.alignment));
  }
  return {};
}

}  // namespace

Result<Gguf> read_gguf(ByteSource& source, std::string_view name) {
  GgufReader reader(source, name, gguf_header_bytes_max);
  const auto counts = TRY(read_counts(reader));
  Gguf gguf;
  gguf.version = counts.version;
  gguf.file_bytes = source.size_bytes();
  gguf.metadata = TRY(read_metadata(reader, counts.metadata));
  gguf.alignment = TRY(read_alignment(reader, gguf.metadata));
  std::unordered_set<std::string> names;
  for (std::uint64_t i = 0; i < counts.tensors; ++i) {
    auto tensor = TRY(read_tensor(reader, i));
    if (!names.insert(tensor.name).second) {
      return reader.bad(Code::corrupt, fmt::format("tensor {} occurs twice", tensor.name));
    }
    gguf.tensors.push_back(std::move(tensor));
  }
  gguf.data_offset = (reader.position() + gguf.alignment - 1) / gguf.alignment * gguf.alignment;
  TRY(check_places(reader, gguf));
  return gguf;
}

Result<Gguf> read_gguf_file(const std::filesystem::path& path) {
  auto file = TRY(ReadableFile::open(path));
  FileSource source(std::move(file));
  return read_gguf(source, path.string());
}

}  // namespace hearth::model
