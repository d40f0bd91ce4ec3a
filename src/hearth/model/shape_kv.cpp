// What each layer keeps of a token: K and V, a window of them, a compressed row, or a state.
#include <fmt/format.h>

#include <algorithm>

#include "hearth/model/architectures.h"
#include "hearth/model/shape_keys.h"

namespace hearth::model {
namespace {

constexpr std::uint64_t row_values_max = 1U << 22;  // so that no product below can overflow

struct HeadCounts {
  std::uint32_t q = 0;
  std::uint32_t kv = 0;
};

Result<HeadCounts> read_heads(const ShapeKeys& keys, std::uint32_t layer) {
  HeadCounts heads;
  heads.q = TRY(keys.layer_count("attention.head_count", layer));
  heads.kv = heads.q;
  if (keys.find("attention.head_count_kv")) {
    heads.kv = TRY(keys.layer_count("attention.head_count_kv", layer));
  }
  return heads;
}

Result<std::uint32_t> row_values(std::uint64_t heads, std::uint64_t head_values) {
  const std::uint64_t values = heads * head_values;
  if (values > row_values_max) {
    return fail(Code::corrupt, fmt::format("a KV row of {} heads of {} values", heads, head_values));
  }
  return static_cast<std::uint32_t>(values);
}

// qwen35 and its kin: in every group of full_attention_interval layers the last one attends.
Result<bool> is_recurrent(const ShapeKeys& keys, const ModelShape& shape, std::uint32_t layer) {
  if (shape.kv_kind != KvKind::hybrid) return false;
  const auto interval = TRY(keys.count_or("full_attention_interval", 0));
  return interval > 0 && (layer + 1) % interval != 0;
}

// The window of one layer, 0 when it attends to everything.
Result<std::uint32_t> window_of(const ShapeKeys& keys, const ModelShape& shape, std::uint32_t layer) {
  if (shape.kv_kind != KvKind::sliding_window) return 0U;
  const auto window = TRY(keys.count_or("attention.sliding_window", 0));
  const GgufValue* pattern = keys.find("attention.sliding_window_pattern");
  if (pattern && pattern->as_array()) {
    const auto slides = TRY(keys.layer_count("attention.sliding_window_pattern", layer));
    return slides != 0 ? window : 0U;
  }
  const Architecture* architecture = find_architecture(shape.architecture);
  const auto group = TRY(keys.count_or("attention.sliding_window_pattern", architecture->window_group));
  return group > 0 && layer % group < group - 1 ? window : 0U;
}

Result<LayerKv> mla_layer(const ShapeKeys& keys, const MlaShape& mla) {
  LayerKv kv;
  kv.k_values = TRY(row_values(1, std::uint64_t{mla.kv_lora_rank} + mla.rope_values));
  if (keys.find("attention.indexer.key_length")) {
    const auto values = TRY(keys.count("attention.indexer.key_length"));
    kv.indexer_values = TRY(row_values(1, values));
  }
  return kv;
}

Result<LayerKv> attention_layer(const ShapeKeys& keys, ModelShape& shape, std::uint32_t layer) {
  LayerKv kv;
  const auto recurrent = TRY(is_recurrent(keys, shape, layer));
  const auto heads = TRY(read_heads(keys, layer));
  shape.heads = std::max(shape.heads, heads.q);
  shape.kv_heads = std::max(shape.kv_heads, heads.kv);
  if (recurrent) return kv;
  kv.k_values = TRY(row_values(heads.kv, shape.head_k));
  kv.v_values = TRY(row_values(heads.kv, shape.head_v));
  kv.window_tokens = TRY(window_of(keys, shape, layer));
  return kv;
}

Result<> read_head_sizes(const ShapeKeys& keys, ModelShape& shape) {
  const auto heads = TRY(keys.layer_count("attention.head_count", 0));
  // A hybrid model's first layer may have no heads; such files give the lengths.
  const std::uint32_t even = heads > 0 ? shape.embedding / heads : 0;
  shape.head_k = TRY(keys.count_or("attention.key_length", even));
  shape.head_v = TRY(keys.count_or("attention.value_length", even));
  if (!shape.mla) return {};
  shape.heads = heads;
  shape.kv_heads = 1;
  shape.head_k = shape.mla->kv_lora_rank + shape.mla->rope_values;
  shape.head_v = shape.mla->kv_lora_rank;
  return {};
}

// f32, as libllama keeps it: the last inputs of the convolution, and the state proper.
Result<RecurrentShape> read_recurrent(const ShapeKeys& keys, std::uint32_t layers) {
  const auto kernel = TRY(keys.count_or("ssm.conv_kernel", 0));
  const auto inner = TRY(keys.count_or("ssm.inner_size", 0));
  const auto state = TRY(keys.count_or("ssm.state_size", 0));
  const auto groups = TRY(keys.count_or("ssm.group_count", 0));
  if (kernel == 0 || kernel > 1'024 || inner > row_values_max || state > row_values_max ||
      std::uint64_t{groups} * state > row_values_max) {
    return fail(Code::corrupt, "the ssm.* sizes of the recurrent layers are missing or absurd");
  }
  const std::uint64_t convolution = (kernel - 1ULL) * (inner + 2ULL * groups * state);
  return RecurrentShape{layers, 4 * convolution, 4 * std::uint64_t{state} * inner};
}

}  // namespace

Result<> read_layer_kv(const ShapeKeys& keys, ModelShape& shape) {
  shape.has_position_axes = keys.find("rope.dimension_sections") != nullptr;
  TRY(read_head_sizes(keys, shape));
  std::uint32_t recurrent_layers = 0;
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
    LayerKv kv = TRY(shape.mla ? mla_layer(keys, *shape.mla) : attention_layer(keys, shape, layer));
    if (kv.k_values == 0) ++recurrent_layers;
    shape.layer_kv.push_back(kv);
  }
  if (shape.kv_kind == KvKind::unknown || recurrent_layers == 0) return {};
  if (shape.kv_kind != KvKind::hybrid) {
    return fail(Code::corrupt, fmt::format("{} of {} layers have no K", recurrent_layers,
                                           shape.layers));
  }
  // Files of hybrid models without ssm.* sizes give plain feed-forward layers no state.
  if (!keys.find("ssm.inner_size")) return {};
  const RecurrentShape recurrent = TRY(read_recurrent(keys, recurrent_layers));
  shape.recurrent_state_bytes =
      recurrent_layers * (recurrent.convolution_bytes + recurrent.state_bytes);
  // Other hybrids keep another kind of state, or say otherwise which layers are recurrent.
  if (keys.find("full_attention_interval")) shape.recurrent = recurrent;
  return {};
}

Result<std::vector<KvRowBytes>> kv_rows(const ModelShape& shape, KvType type) {
  std::vector<KvRowBytes> rows;
  rows.reserve(shape.layer_kv.size());
  for (const LayerKv& kv : shape.layer_kv) {
    KvRowBytes row;
    row.k = TRY(kv_row_bytes(type, kv.k_values));
    row.v = TRY(kv_row_bytes(type, kv.v_values));
    row.indexer = TRY(kv_row_bytes(type, kv.indexer_values));
    rows.push_back(row);
  }
  return rows;
}

Result<std::uint64_t> kv_bytes_per_token(const ModelShape& shape, KvType type) {
  const auto rows = TRY(kv_rows(shape, type));
  std::uint64_t bytes = 0;
  for (const KvRowBytes& row : rows) bytes += row.k + row.v + row.indexer;
  return bytes;
}

Result<std::uint64_t> kv_bytes(const ModelShape& shape, KvType type, std::uint64_t tokens) {
  const auto rows = TRY(kv_rows(shape, type));
  std::uint64_t bytes = shape.recurrent_state_bytes;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::uint64_t window = shape.layer_kv[i].window_tokens;
    const std::uint64_t cells = window > 0 ? std::min(window, tokens) : tokens;
    bytes += cells * (rows[i].k + rows[i].v + rows[i].indexer);
  }
  return bytes;
}

}  // namespace hearth::model
