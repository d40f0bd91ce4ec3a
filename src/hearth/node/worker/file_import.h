#pragma once
// Chunk files into a lease: while the engine's thread takes one in, the caller's thread reads and
// checks the next. Every file is checked whole (layout, key, digest) before the engine sees it.

#include <filesystem>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "hearth/engine/engine_thread.h"
#include "hearth/kv/chunk.h"

namespace hearth::node {

struct ChunkFile {
  std::filesystem::path path;
  kv::ChunkKey key;
};

struct FilesImported {
  std::size_t count = 0;       // files taken in, from the first on
  std::optional<Error> error;  // of files[count]; absent: all were
};

// The layouts of the KV that one worker computes, each with the adapters that it is computed with; the
// bare model's comes first.
using WorkerLayouts = std::vector<std::pair<kv::LayoutDigest, engine::AdapterSetId>>;
// Whose KV the chunk is. invalid_argument with both layouts when it is nobody's here.
Result<engine::AdapterSetId> adapters_of(const kv::ChunkHeader& header, const WorkerLayouts& layouts);

// In order, until one fails.
FilesImported import_files(engine::EngineThread& engine, engine::LeaseId lease,
                           const WorkerLayouts& layouts, std::span<const ChunkFile> files);

}  // namespace hearth::node
