// What libllama's caches must look like for a model of a known shape.
#include <fmt/format.h>

#include "hearth/model/state_layout.h"

namespace hearth::model {
namespace {

struct TypeSizes {
  std::uint32_t number = 0;
  std::uint32_t element_bytes = 0;  // of types with one value per block
};

// Transposed V is written element by element, which only types without blocks allow.
Result<TypeSizes> sizes_of(KvType type, bool transposed) {
  const auto number = static_cast<std::uint32_t>(type);
  const GgmlType* found = find_ggml_type(number);
  if (!found) return fail(Code::invalid_argument, "not a KV type");
  if (transposed && found->block_values != 1) {
    return fail(Code::invalid_argument,
                fmt::format("a KV cache of {} needs flash attention", found->name));
  }
  return TypeSizes{number, found->block_bytes};
}

StateLayer layer_of(const KvRowBytes& row, TypeSizes sizes, bool transposed) {
  StateLayer layer;
  layer.k_type = sizes.number;
  layer.k_row_bytes = row.k;
  if (row.v > 0) {
    layer.v_type = sizes.number;
    layer.v_row_bytes = row.v;
    layer.v_element_bytes = transposed ? sizes.element_bytes : 0;
  }
  return layer;
}

}  // namespace

Result<StateLayout> expected_state_layout(const ModelShape& shape, KvType type,
                                          bool flash_attention) {
  const bool is_hybrid = shape.kv_kind == KvKind::hybrid;
  if (shape.kv_kind == KvKind::unknown || (is_hybrid && !shape.recurrent)) {
    return fail(Code::unsupported,
                fmt::format("{} cannot be handed off: how the engine writes the state of this "
                            "architecture ({}) is not established",
                            shape.architecture, kv_kind_name(shape.kv_kind)));
  }
  const bool transposed = !flash_attention;
  const auto rows = TRY(kv_rows(shape, type));
  CacheLayout base;
  base.v_transposed = transposed;
  base.cell_extension_bytes = shape.has_position_axes ? 12 : 0;
  CacheLayout window = base;
  CacheLayout indexer = base;
  bool has_values = false;
  for (const LayerKv& layer : shape.layer_kv) has_values |= layer.v_values > 0;
  const auto sizes = TRY(sizes_of(type, transposed && has_values));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const LayerKv& kv = shape.layer_kv[i];
    if (kv.k_values == 0) continue;  // recurrent
    CacheLayout& cache = kv.window_tokens > 0 ? window : base;
    cache.window_tokens = kv.window_tokens;
    cache.layers.push_back(layer_of(rows[i], sizes, transposed));
    if (rows[i].indexer > 0) {
      indexer.layers.push_back(layer_of({.k = rows[i].indexer, .v = 0, .indexer = 0}, sizes, transposed));
    }
  }
  StateLayout layout;
  for (CacheLayout* cache : {&base, &window, &indexer}) {
    if (!cache->layers.empty()) layout.caches.push_back(std::move(*cache));
  }
  if (shape.recurrent) {
    layout.recurrent = RecurrentLayout{.model_layers = shape.layers,
                                       .layers = shape.recurrent->layers,
                                       .convolution_bytes = shape.recurrent->convolution_bytes,
                                       .state_bytes = shape.recurrent->state_bytes};
  }
  return layout;
}

}  // namespace hearth::model
