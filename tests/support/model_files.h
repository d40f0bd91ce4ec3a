#pragma once
// ModelFiles from a GgufWriter, without a disk. The paths are only names.

#include "hearth/model/shards.h"
#include "support/gguf_writer.h"

namespace hearth::testing {

inline model::ModelShard shard_of(const GgufWriter& writer, std::string_view name) {
  VirtualSource source(writer);
  auto gguf = model::read_gguf(source, name);
  CHECK(gguf.has_value());
  model::ModelShard shard;
  shard.path = name;
  shard.bytes = source.size_bytes();
  shard.gguf = *std::move(gguf);
  return shard;
}

inline model::ModelFiles files_of(const GgufWriter& writer, std::string_view name = "model.gguf") {
  std::vector<model::ModelShard> shards;
  shards.push_back(shard_of(writer, name));
  auto files = model::merge_shards(std::move(shards));
  CHECK(files.has_value());
  return *std::move(files);
}

}  // namespace hearth::testing
