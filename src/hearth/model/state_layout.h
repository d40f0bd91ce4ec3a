#pragma once
// The bytes in which libllama 0.7 gives out the KV state of a sequence, as our own parser sees
// them (docs/formats/state_blob.md). libllama accepts damaged blobs, duplicate positions and
// foreign layouts; so nothing is imported that validate_state has not accepted first.
//
// A layout is everything but positions and rows. It is learned once, from the export of a single
// token when a worker starts, and compared with what the model's shape promises; afterwards a blob
// for any run of positions has exactly one possible size and header.
//
// A hybrid model has one recurrent state besides, behind the caches: valid at the last position only,
// and large. A blob may leave it out (partial); then a later one has to bring it before anything can be
// computed from there.
//
// Pure; O(cells + layers), rows are never read. Not covered: vision positions.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hearth/base/bytes.h"
#include "hearth/base/result.h"
#include "hearth/model/shape.h"
#include "hearth/model/token_range.h"

namespace hearth::model {

inline constexpr std::uint32_t state_magic = 0xaf143cd8;
inline constexpr std::uint32_t state_caches_max = 4;
inline constexpr std::uint32_t state_cells_max = 4U << 20;
inline constexpr std::uint64_t state_row_bytes_max = 1ULL << 24;
inline constexpr std::uint32_t state_sequence_ids_max = 256;  // llama_max_parallel_sequences()

struct StateLayer {
  std::uint32_t k_type = 0;
  std::uint64_t k_row_bytes = 0;
  std::uint32_t v_type = 0;
  std::uint64_t v_row_bytes = 0;      // 0: no V section at all (MLA)
  std::uint32_t v_element_bytes = 0;  // only in transposed caches
  bool operator==(const StateLayer&) const = default;
};

struct CacheLayout {
  bool v_transposed = false;  // flash attention off
  std::uint32_t rotation_k = 0;
  std::uint32_t rotation_v = 0;
  std::uint32_t cell_extension_bytes = 0;  // 0 or 12
  std::uint32_t window_tokens = 0;         // 0: holds every token; else the last of them only
  std::vector<StateLayer> layers;
  bool operator==(const CacheLayout&) const = default;
};

// Of every layer that keeps a state: convolution rows first, then states, all f32.
struct RecurrentLayout {
  std::uint32_t model_layers = 0;  // as the blob counts: those that attend among them
  std::uint32_t layers = 0;
  std::uint64_t convolution_bytes = 0;
  std::uint64_t state_bytes = 0;
  bool operator==(const RecurrentLayout&) const = default;
};

// Caches follow one another: base then window (SWA), MLA then indexer (DSA).
struct StateLayout {
  std::vector<CacheLayout> caches;
  std::optional<RecurrentLayout> recurrent = {};
  bool operator==(const StateLayout&) const = default;
};

// What an export of this model must look like, save for the rotations, which depend on the
// environment and are learned. unsupported, by name, for architectures whose state is not established.
Result<StateLayout> expected_state_layout(const ModelShape& shape, KvType type,
                                          bool flash_attention);

// `blob`: the export of the positions `range`. Everything but the rotations must equal
// `expected`; the result is `expected` with the rotations found. unsupported when it differs.
Result<StateLayout> learn_state_layout(ByteSpan blob, const StateLayout& expected,
                                       TokenRange range = {0, 1});

enum class Completeness : std::uint8_t {
  whole,    // computing goes on from its end
  partial,  // the recurrent state is left out
};

// corrupt, with the offset, for anything that is not exactly this layout for exactly these
// positions, in order, each once, without a byte more.
Result<Completeness> validate_state(const StateLayout& layout, TokenRange range, ByteSpan blob);

// Exact. CHECKs that the layout and the count are within the limits above (is_sane tells).
std::uint64_t state_bytes(const StateLayout& layout, std::uint32_t token_count,
                          Completeness completeness = Completeness::whole);
bool is_sane(const StateLayout& layout);

// Brings each cache's cells into the order of their positions, and their rows with them: the engine
// writes them as they lie in its memory, where what came later may lie before. Almost always they
// are in order, and only the positions are read. corrupt when `blob` does not have this layout.
// Transposed caches are left as they are.
Result<> order_state(const StateLayout& layout, std::span<std::byte> blob);

// Zeroes the source sequence id (the second word and one word per cell), which libllama ignores
// on import, so that equal KV has equal bytes. Reads no rows. corrupt when `blob` does not have
// this layout; it may then be partly changed.
Result<> canonicalise_state(const StateLayout& layout, std::span<std::byte> blob);

// Makes a whole blob partial, in place; the result is its new size. CHECKs that it is one and that
// the layout has a recurrent state.
std::size_t drop_recurrent_state(const StateLayout& layout, TokenRange range,
                                 std::span<std::byte> blob);

}  // namespace hearth::model
