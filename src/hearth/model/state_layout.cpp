#include "hearth/model/state_layout.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/check.h"
#include "hearth/model/state_recurrent.h"

namespace hearth::model {
namespace {

// The layouts differ: says where, and what each side has.
template <class T>
Result<> expect(std::size_t offset, std::string_view what, T found, T expected) {
  if (found == expected) return {};
  return fail(Code::corrupt, fmt::format("state blob, offset {}: {} is {}, expected {}", offset, what,
                                         found, expected));
}

Result<> check_layer_k(const StateLayer& layer, std::size_t index, const LayerHeader& found) {
  const std::string name = fmt::format("layer {}: K", index);
  TRY(expect(found.offset, name + " type", found.type, layer.k_type));
  return expect(found.offset + 4, name + " row bytes", found.row_bytes, layer.k_row_bytes);
}

Result<> check_layer_v(const StateLayer& layer, std::size_t index, const LayerHeader& found) {
  const std::string name = fmt::format("layer {}: V", index);
  TRY(expect(found.offset, name + " type", found.type, layer.v_type));
  TRY(expect(found.offset + 4, name + " element bytes", found.element_bytes,
             layer.v_element_bytes));
  return expect(found.offset + 4, name + " row bytes", found.row_bytes, layer.v_row_bytes);
}

Result<> check_cells(StateWalk& walk, const CacheLayout& cache, TokenRange range) {
  const std::uint32_t count = cells_in(cache, range.count());
  TRY(walk.expect_word("stream count", 1));
  TRY(walk.expect_word("cell count", count));
  for (std::uint32_t i = 0; i < count; ++i) {
    TRY(walk.expect_word("cell position", range.end - count + i));
    TRY(walk.expect_word("sequence ids of the cell", 1));
    TRY(walk.skip(cache.cell_extension_bytes, "cell extension"));
    TRY(walk.sequence_id("sequence id of the cell"));
  }
  return {};
}

struct Rotations {
  std::uint32_t k = 0;
  std::uint32_t v = 0;
};

// One cache, from its stream count to its last row. Gives the rotations it found.
Result<Rotations> check_cache(StateWalk& walk, const CacheLayout& cache, TokenRange range) {
  TRY(check_cells(walk, cache, range));
  const std::uint32_t cells = cells_in(cache, range.count());
  TRY(walk.expect_word("V transposition (0: flash attention on)", cache.v_transposed ? 1 : 0));
  TRY(walk.expect_word("layer count", static_cast<std::uint32_t>(cache.layers.size())));
  Rotations rotations;
  rotations.k = TRY(walk.word("K rotation"));
  rotations.v = TRY(walk.word("V rotation"));
  for (std::size_t i = 0; i < cache.layers.size(); ++i) {
    const LayerHeader header = TRY(walk.row_header("K header"));
    TRY(check_layer_k(cache.layers[i], i, header));
    TRY(walk.skip(header.row_bytes * cells, "K rows"));
  }
  for (std::size_t i = 0; i < cache.layers.size(); ++i) {
    if (cache.layers[i].v_row_bytes == 0) continue;
    const LayerHeader header = TRY(cache.v_transposed ? walk.transposed_header("V header")
                                                      : walk.row_header("V header"));
    TRY(check_layer_v(cache.layers[i], i, header));
    TRY(walk.skip(header.row_bytes * cells, "V rows"));
  }
  return rotations;
}

Result<> check_range(const StateLayout& layout, TokenRange range) {
  if (!is_sane(layout)) return fail(Code::invalid_argument, "state layout outside the limits");
  if (range.is_empty() || range.count() > state_cells_max || range.end > INT32_MAX) {
    return fail(Code::invalid_argument,
                fmt::format("positions {} to {} cannot be a chunk", range.begin, range.end));
  }
  return {};
}

Result<> check_size(const StateLayout& layout, TokenRange range, ByteSpan blob) {
  const std::uint64_t expected = state_bytes(layout, range.count());
  if (blob.size() == expected) return {};
  if (layout.recurrent &&
      blob.size() == state_bytes(layout, range.count(), Completeness::partial)) return {};
  return fail(Code::corrupt, fmt::format("state blob for {} tokens has {} bytes, expected {}",
                                         range.count(), blob.size(), expected));
}

Result<> check_preamble(StateWalk& walk) {
  TRY(walk.expect_word("magic", state_magic));
  return walk.sequence_id("source sequence id");
}

}  // namespace

bool is_sane(const StateLayout& layout) {
  if (layout.caches.empty() || layout.caches.size() > state_caches_max) return false;
  if (layout.recurrent && !is_sane(*layout.recurrent)) return false;
  return std::ranges::all_of(layout.caches, [](const CacheLayout& cache) {
    const bool extension = cache.cell_extension_bytes == 0 || cache.cell_extension_bytes == 12;
    return extension && !cache.layers.empty() && cache.layers.size() <= layer_count_max &&
           std::ranges::all_of(cache.layers, [&](const StateLayer& layer) {
             const bool k = layer.k_row_bytes > 0 && layer.k_row_bytes <= state_row_bytes_max;
             const bool v = layer.v_row_bytes <= state_row_bytes_max;
             const bool transposed = cache.v_transposed && layer.v_row_bytes > 0;
             return k && v && (layer.v_element_bytes != 0) == transposed &&
                    (!transposed || (layer.v_element_bytes <= 16 &&
                                     layer.v_row_bytes % layer.v_element_bytes == 0));
           });
  });
}

std::uint64_t state_bytes(const StateLayout& layout, std::uint32_t token_count,
                          Completeness completeness) {
  CHECK(is_sane(layout) && token_count <= state_cells_max);
  std::uint64_t bytes = 8;  // magic, sequence id
  if (layout.recurrent) bytes += recurrent_bytes(*layout.recurrent, completeness);
  for (const CacheLayout& cache : layout.caches) {
    const std::uint64_t cells = cells_in(cache, token_count);
    bytes += 8 + cells * (12 + cache.cell_extension_bytes);  // stream and cell count, cells
    bytes += cells == 0 ? 0 : 16;                            // transposition, layers, rotations
    for (const StateLayer& layer : cache.layers) {
      if (cells == 0) continue;
      bytes += 12 + cells * layer.k_row_bytes;
      if (layer.v_row_bytes > 0) bytes += 12 + cells * layer.v_row_bytes;
    }
  }
  return bytes;
}

Result<Completeness> validate_state(const StateLayout& layout, TokenRange range, ByteSpan blob) {
  TRY(check_range(layout, range));
  TRY(check_size(layout, range, blob));
  StateWalk walk(blob);
  TRY(check_preamble(walk));
  for (const CacheLayout& cache : layout.caches) {
    const Rotations found = TRY(check_cache(walk, cache, range));
    TRY(expect(walk.position(), "K rotation", found.k, cache.rotation_k));
    TRY(expect(walk.position(), "V rotation", found.v, cache.rotation_v));
  }
  auto completeness = Completeness::whole;
  if (layout.recurrent) completeness = TRY(check_recurrent(walk, *layout.recurrent, range.end - 1));
  TRY(walk.expect_end());
  return completeness;
}

Result<StateLayout> learn_state_layout(ByteSpan blob, const StateLayout& expected,
                                       TokenRange range) {
  TRY(check_range(expected, range));
  const auto learn = [&]() -> Result<StateLayout> {
    StateLayout learned = expected;
    StateWalk walk(blob);
    TRY(check_preamble(walk));
    for (CacheLayout& cache : learned.caches) {
      const Rotations found = TRY(check_cache(walk, cache, range));
      cache.rotation_k = found.k;
      cache.rotation_v = found.v;
    }
    if (expected.recurrent) TRY(check_recurrent(walk, *expected.recurrent, range.end - 1));
    TRY(walk.expect_end());
    return learned;
  };
  auto learned = learn();
  if (learned) return learned;
  Error error = with_context(std::move(learned).error(),
                             "the engine's state is not what this model's shape promises");
  error.code = Code::unsupported;
  return std::unexpected(std::move(error));
}

Result<> canonicalise_state(const StateLayout& layout, std::span<std::byte> blob) {
  if (!is_sane(layout)) return fail(Code::invalid_argument, "state layout outside the limits");
  StateWalk walk(blob);
  TRY(walk.expect_word("magic", state_magic));
  TRY(walk.skip(4, "source sequence id"));
  zero_word(blob, walk.position() - 4);
  for (const CacheLayout& cache : layout.caches) {
    TRY(walk.expect_word("stream count", 1));
    const std::uint32_t cells = TRY(walk.word("cell count"));
    for (std::uint32_t i = 0; i < cells; ++i) {
      TRY(walk.skip(8 + cache.cell_extension_bytes + 4, "cell"));
      zero_word(blob, walk.position() - 4);
    }
    if (cells == 0) continue;
    TRY(walk.skip(16, "cache header"));
    for (const StateLayer& layer : cache.layers) {
      TRY(walk.skip(12 + layer.k_row_bytes * cells, "K rows"));
      if (layer.v_row_bytes > 0) TRY(walk.skip(12 + layer.v_row_bytes * cells, "V rows"));
    }
  }
  if (layout.recurrent) TRY(skip_recurrent(walk, *layout.recurrent));
  return walk.expect_end();
}

}  // namespace hearth::model
