#pragma once
// Builds the state blob that libllama would export for a layout, written from the format page and
// independent of the parser. Rows hold a pattern.

#include <algorithm>
#include <cstdint>

#include "hearth/base/bytes.h"
#include "hearth/model/state_layout.h"

namespace hearth::testing {

namespace detail {

inline void write_rows(ByteWriter& out, std::uint64_t bytes, std::uint32_t seed) {
  for (std::uint64_t i = 0; i < bytes; ++i) {
    out.write(static_cast<std::uint8_t>((i * 7 + seed * 13 + 1) & 0xff));
  }
}

inline void write_cells(ByteWriter& out, const model::CacheLayout& cache, std::uint32_t first,
                        std::uint32_t cells, std::uint32_t sequence) {
  out.write(std::uint32_t{1});
  out.write(cells);
  for (std::uint32_t i = 0; i < cells; ++i) {
    out.write(first + i);
    out.write(std::uint32_t{1});
    for (std::uint32_t b = 0; b < cache.cell_extension_bytes; ++b) out.write(std::uint8_t{0xee});
    out.write(sequence);
  }
}

inline void write_cache(ByteWriter& out, const model::CacheLayout& cache, TokenRange range,
                        std::uint32_t sequence) {
  const std::uint32_t cells =
      cache.window_tokens > 0 ? std::min(range.count(), cache.window_tokens) : range.count();
  write_cells(out, cache, range.end - cells, cells, sequence);
  out.write(std::uint32_t{cache.v_transposed ? 1U : 0U});
  out.write(static_cast<std::uint32_t>(cache.layers.size()));
  out.write(cache.rotation_k);
  out.write(cache.rotation_v);
  std::uint32_t seed = 0;
  for (const model::StateLayer& layer : cache.layers) {
    out.write(layer.k_type);
    out.write(layer.k_row_bytes);
    write_rows(out, layer.k_row_bytes * cells, ++seed);
  }
  for (const model::StateLayer& layer : cache.layers) {
    if (layer.v_row_bytes == 0) continue;
    out.write(layer.v_type);
    if (cache.v_transposed) {
      out.write(layer.v_element_bytes);
      out.write(static_cast<std::uint32_t>(layer.v_row_bytes / layer.v_element_bytes));
    } else {
      out.write(layer.v_row_bytes);
    }
    write_rows(out, layer.v_row_bytes * cells, ++seed);
  }
}

inline void write_recurrent(ByteWriter& out, const model::RecurrentLayout& recurrent,
                            std::uint32_t position, bool is_partial) {
  out.write(std::uint32_t{is_partial ? 0U : 1U});
  if (!is_partial) {
    out.write(position);
    out.write(std::uint32_t{0});
  }
  out.write(std::uint32_t{0});
  out.write(recurrent.model_layers);
  std::uint32_t seed = 99;
  for (const std::uint64_t row_bytes : {recurrent.convolution_bytes, recurrent.state_bytes}) {
    for (std::uint32_t i = 0; i < recurrent.layers; ++i) {
      out.write(std::uint32_t{0});
      out.write(row_bytes);
      if (!is_partial) write_rows(out, row_bytes, ++seed);
    }
  }
}

}  // namespace detail

inline Bytes state_blob(const model::StateLayout& layout, TokenRange range,
                        std::uint32_t sequence = 1, bool is_partial = false) {
  ByteWriter out;
  out.write(std::uint32_t{0xaf143cd8});
  out.write(sequence);
  for (const model::CacheLayout& cache : layout.caches) {
    detail::write_cache(out, cache, range, sequence);
  }
  if (layout.recurrent) detail::write_recurrent(out, *layout.recurrent, range.end - 1, is_partial);
  return out.take();
}

// Layouts of the kinds that exist: MLA, K and V with flash attention, without, q8_0 rotated, SWA,
// DSA, cells with the 12-byte extension, and those with a recurrent state.
inline std::vector<model::StateLayout> sample_layouts() {
  using model::CacheLayout;
  using model::StateLayer;
  const StateLayer k_only{.k_type = 1, .k_row_bytes = 1'152};
  const StateLayer both{.k_type = 1, .k_row_bytes = 16, .v_type = 1, .v_row_bytes = 24};
  const StateLayer transposed{
      .k_type = 1, .k_row_bytes = 16, .v_type = 1, .v_row_bytes = 24, .v_element_bytes = 2};
  const StateLayer q8{.k_type = 8, .k_row_bytes = 34, .v_type = 8, .v_row_bytes = 34};
  CacheLayout mla, kv, kv_off, rotated, window, indexer, extended;
  mla.layers = {k_only, k_only};
  kv.layers = {both, both, both};
  kv_off.v_transposed = true;
  kv_off.layers = {transposed, transposed};
  rotated.rotation_k = 128;
  rotated.rotation_v = 64;
  rotated.layers = {q8};
  window.window_tokens = 3;
  window.layers = {both};
  indexer.rotation_k = 128;
  indexer.layers = {{.k_type = 1, .k_row_bytes = 32}};
  extended.cell_extension_bytes = 12;
  extended.layers = {both};
  const model::RecurrentLayout recurrent{
      .model_layers = 4, .layers = 3, .convolution_bytes = 24, .state_bytes = 64};
  return {{{mla}},           {{kv}},           {{kv_off}},   {{rotated}},
          {{kv, window}},    {{mla, indexer}}, {{extended}}, {{extended}, recurrent}};
}

}  // namespace hearth::testing
