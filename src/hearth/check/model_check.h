#pragma once
// A model on disk against what its own headers, its name and the lock say of it.

#include <filesystem>

#include "hearth/check/lock.h"
#include "hearth/fetch/file_digests.h"
#include "hearth/model/shards.h"

namespace hearth::check {

struct ShardFacts {
  std::string file;  // name without folder
  std::filesystem::path path;
  bool is_there = false;
  bool has_unfinished_half = false;  // NAME.part beside it
  std::uint64_t bytes = 0;
  std::string header_fault;  // why its header cannot be read; empty: it can
  std::optional<Digest256> sha256;
  std::string read_fault;  // why its digest is not known, when it was asked for
};

struct ModelFacts {
  std::string path;  // as given
  std::vector<ShardFacts> shards;  // all that its name promises
  std::string split_fault;  // why the shards are not one model; empty: they are, or it is not known
  std::vector<std::pair<std::string, std::uint64_t>> tensor_type_bytes;  // largest first; empty: unknown
  std::string chat_template;
  std::string architecture;
  bool format_is_known = true;  // a chat format fits the template or the vocabulary
  std::uint64_t total_bytes = 0;
};

// Reads headers, no weights.
ModelFacts gather_model(const std::filesystem::path& path);
// Reads everything that is not remembered, and fills in the digests. All models at once, so that
// several files are read together.
void gather_digests(std::vector<ModelFacts>& models, std::uint32_t readers, fetch::DigestMemory& memory,
                    const fetch::DigestProgress& progress, const StopToken& stop);

// `pinned` may be null.
Findings model_findings(const ModelFacts& facts, const LockedModel* pinned);
LockedModel pin_model(const ModelFacts& facts, std::string url);

// "Q4_K_M" of "Kimi-K2.6-UD-Q4_K_XL-00001-of-00013.gguf", in lower case without the mixture's suffix:
// "q4_k". Empty when the name has no such word.
std::string quant_of_name(std::string_view file_name);

}  // namespace hearth::check
