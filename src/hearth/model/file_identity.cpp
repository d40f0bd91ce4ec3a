// Digests of what lies on disk: metadata and tensor table, a sample of the weights, the tokenizer.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "hearth/model/layout_identity.h"

namespace hearth::model {
namespace {

constexpr std::string_view gguf_domain = "hearth gguf 1";
constexpr std::string_view weights_domain = "hearth weights 1";
constexpr std::string_view tokenizer_domain = "hearth tokenizer 1";
constexpr std::uint64_t sample_bytes = 4'096;

// Who made the file, where it is published, how it was cut: none of it changes a KV byte.
// general.name, basename, version and finetune stay in: they tell fine-tunes apart.
constexpr std::array<std::string_view, 18> volatile_prefixes{
    "split.",               "quantize.imatrix.",   "general.alignment",   "general.author",
    "general.base_model.",  "general.dataset.",    "general.description", "general.doi",
    "general.languages",    "general.license",     "general.organization", "general.quantized_by",
    "general.repo_url",     "general.source.",     "general.tags",        "general.url",
    "general.uuid",         "tokenizer.chat_template",
};

bool is_volatile(std::string_view key) {
  return std::ranges::any_of(volatile_prefixes,
                             [&](std::string_view prefix) { return key.starts_with(prefix); });
}

void hash_array(Blake2b& hash, const GgufArray& array) {
  hash.update_number(static_cast<std::uint32_t>(array.item_type)).update_number(array.count);
  hash.update(array.numbers);
  for (const std::string& text : array.strings) hash.update_sized(text);
}

void hash_value(Blake2b& hash, const GgufValue& value) {
  hash.update_number(static_cast<std::uint32_t>(value.type));
  if (const auto* u = std::get_if<std::uint64_t>(&value.value)) hash.update_number(*u);
  if (const auto* i = std::get_if<std::int64_t>(&value.value)) hash.update_number(*i);
  if (const auto* d = std::get_if<double>(&value.value)) {
    hash.update_number(std::bit_cast<std::uint64_t>(*d));
  }
  if (const auto* b = std::get_if<bool>(&value.value)) {
    hash.update_number(static_cast<std::uint8_t>(*b ? 1 : 0));
  }
  if (const auto* text = value.as_string()) hash.update_sized(*text);
  if (const auto* array = value.as_array()) hash_array(hash, *array);
}

// By name, so that the order in the files and the way they are split do not matter.
std::vector<const ModelTensor*> sorted_tensors(const ModelFiles& files) {
  std::vector<const ModelTensor*> out;
  out.reserve(files.tensors.size());
  for (const ModelTensor& tensor : files.tensors) out.push_back(&tensor);
  std::ranges::sort(out, {}, [](const ModelTensor* t) { return std::string_view(t->tensor.name); });
  return out;
}

Result<> hash_sample(Blake2b& hash, FileSource& source, const ModelTensor& place,
                     std::uint64_t data_offset) {
  const GgufTensor& tensor = place.tensor;
  std::array<std::byte, sample_bytes> buffer;
  const std::uint64_t count = std::min(tensor.bytes, sample_bytes);
  const std::span<std::byte> sample(buffer.data(), static_cast<std::size_t>(count));
  const std::uint64_t middle = (tensor.bytes - count) / 2;
  TRY(source.read_at(data_offset + tensor.offset + middle, sample));
  hash.update_sized(tensor.name).update_number(tensor.bytes).update(sample);
  return {};
}

}  // namespace

Digest256 gguf_identity(const ModelFiles& files) {
  Blake2b hash;
  hash.update(gguf_domain);
  for (const auto& [key, value] : files.metadata()) {
    if (is_volatile(key)) continue;
    hash.update("m").update_sized(key);
    hash_value(hash, value);
  }
  for (const ModelTensor* place : sorted_tensors(files)) {
    hash.update("t").update_sized(place->tensor.name).update_number(place->tensor.type);
    for (const std::uint64_t n : place->tensor.shape) hash.update_number(n);
  }
  return hash.finish();
}

Result<Digest256> weights_fingerprint(const ModelFiles& files) {
  std::vector<FileSource> sources;
  for (const ModelShard& shard : files.shards) {
    auto file = TRY(ReadableFile::open(shard.path));
    sources.emplace_back(std::move(file));
  }
  Blake2b hash;
  hash.update(weights_domain);
  for (const ModelTensor* place : sorted_tensors(files)) {
    TRY(hash_sample(hash, sources[place->shard], *place, files.shards[place->shard].gguf.data_offset));
  }
  return hash.finish();
}

Digest256 tokenizer_digest(const GgufMetadata& metadata) {
  Blake2b hash;
  hash.update(tokenizer_domain);
  for (auto it = metadata.lower_bound("tokenizer."); it != metadata.end(); ++it) {
    const auto& [key, value] = *it;
    if (!key.starts_with("tokenizer.")) break;
    if (is_volatile(key)) continue;
    hash.update_sized(key);
    hash_value(hash, value);
  }
  return hash.finish();
}

}  // namespace hearth::model
