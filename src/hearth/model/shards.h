#pragma once
// A model as it lies on disk: one GGUF file, or several (NAME-00001-of-000NN.gguf, as
// llama-gguf-split writes them) that are checked to be one whole and then seen as one.
//
// Errors: not_found listing the missing shards; corrupt when shards contradict each other.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/model/gguf.h"

namespace hearth::model {

inline constexpr std::uint32_t shard_count_max = 4'096;

struct ShardName {
  std::string stem;          // "Kimi-K2.6-UD-Q4_K_XL"
  std::uint32_t number = 1;  // from 1, as in the name
  std::uint32_t count = 1;
  bool operator==(const ShardName&) const = default;
};

// Nothing when the name is not of the split form.
std::optional<ShardName> parse_shard_name(std::string_view file_name);
std::string shard_file_name(const ShardName& name);

struct ModelShard {
  std::filesystem::path path;
  std::uint64_t bytes = 0;
  Gguf gguf;
};

struct ModelTensor {
  GgufTensor tensor;
  std::uint32_t shard = 0;  // index into ModelFiles::shards
};

struct ModelFiles {
  std::vector<ModelShard> shards;      // in order, never empty
  std::vector<ModelTensor> tensors;    // of all shards
  // The first shard carries it all; the others were checked not to contradict it.
  const GgufMetadata& metadata() const { return shards.front().gguf.metadata; }
};

// `path`: the only file, or any of the shards.
Result<ModelFiles> load_model_files(const std::filesystem::path& path);
// The checks alone: split.no, split.count, split.tensors.count, metadata, tensor names.
Result<ModelFiles> merge_shards(std::vector<ModelShard> shards);

}  // namespace hearth::model
