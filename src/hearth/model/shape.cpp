#include "hearth/model/shape.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/model/architectures.h"
#include "hearth/model/shape_keys.h"

namespace hearth::model {
namespace {

Result<RopeShape> read_rope(const ShapeKeys& keys) {
  RopeShape rope;
  rope.dimensions = TRY(keys.count_or("rope.dimension_count", 0));
  rope.frequency_base = TRY(keys.number_or("rope.freq_base", rope.frequency_base));
  rope.scaling = keys.text_or("rope.scaling.type", rope.scaling);
  rope.scaling_factor = TRY(keys.number_or("rope.scaling.factor", rope.scaling_factor));
  rope.original_context = TRY(keys.count_or("rope.scaling.original_context_length", 0));
  rope.yarn_log_multiplier = TRY(keys.number_or("rope.scaling.yarn_log_multiplier", 0.0));
  rope.attention_factor = TRY(keys.number_or("rope.scaling.attn_factor", 0.0));
  return rope;
}

Result<std::optional<ExpertShape>> read_experts(const ShapeKeys& keys) {
  ExpertShape experts;
  experts.count = TRY(keys.count_or("expert_count", 0));
  if (experts.count == 0) return std::optional<ExpertShape>();
  experts.used = TRY(keys.count("expert_used_count"));
  if (experts.used == 0 || experts.used > experts.count) {
    return fail(Code::corrupt, fmt::format("{} of {} experts used per token", experts.used,
                                           experts.count));
  }
  experts.shared = TRY(keys.count_or("expert_shared_count", 0));
  experts.leading_dense_layers = TRY(keys.count_or("leading_dense_block_count", 0));
  experts.feed_forward = TRY(keys.count_or("expert_feed_forward_length", 0));
  return std::optional(experts);
}

// Without the *_mla lengths the file is of the older kind, whose K and V are expanded per head.
Result<std::optional<MlaShape>> read_mla(const ShapeKeys& keys, const RopeShape& rope) {
  if (!keys.find("attention.key_length_mla")) return std::optional<MlaShape>();
  MlaShape mla;
  mla.kv_lora_rank = TRY(keys.count("attention.kv_lora_rank"));
  mla.q_lora_rank = TRY(keys.count_or("attention.q_lora_rank", 0));
  mla.rope_values = rope.dimensions;
  mla.v_values = TRY(keys.count("attention.value_length_mla"));
  const auto key_values = TRY(keys.count("attention.key_length_mla"));
  if (key_values <= mla.rope_values) {
    return fail(Code::corrupt, fmt::format("attention.key_length_mla {} leaves nothing beside {} "
                                           "rotated values", key_values, mla.rope_values));
  }
  mla.nope_values = key_values - mla.rope_values;
  return std::optional(mla);
}

Result<std::uint32_t> read_vocabulary(const ShapeKeys& keys) {
  const GgufValue* tokens = find_value(keys.metadata(), "tokenizer.ggml.tokens");
  if (tokens && tokens->as_array()) return static_cast<std::uint32_t>(tokens->as_array()->count);
  return keys.count_or("vocab_size", 0);
}

std::string model_name(const ModelFiles& files) {
  const GgufValue* name = find_value(files.metadata(), "general.name");
  if (name && name->as_string() && !name->as_string()->empty()) return *name->as_string();
  return files.shards.front().path.stem().string();
}

Result<std::uint32_t> read_block_count(const ShapeKeys& keys) {
  const auto blocks = TRY(keys.count("block_count"));
  if (blocks == 0 || blocks > layer_count_max) {
    return fail(Code::corrupt, fmt::format("block_count {} is not between 1 and {}", blocks,
                                           layer_count_max));
  }
  return blocks;
}

Result<> read_numbers(const ShapeKeys& keys, ModelShape& shape) {
  shape.embedding = TRY(keys.count("embedding_length"));
  shape.context_length = TRY(keys.count_or("context_length", 0));
  shape.vocabulary = TRY(read_vocabulary(keys));
  if (keys.find("feed_forward_length")) {
    shape.feed_forward = TRY(keys.layer_count("feed_forward_length", 0));
  }
  shape.rope = TRY(read_rope(keys));
  shape.experts = TRY(read_experts(keys));
  if (shape.kv_kind == KvKind::mla) {
    shape.mla = TRY(read_mla(keys, shape.rope));
    if (!shape.mla) shape.kv_kind = KvKind::attention;
  }
  return read_layer_kv(keys, shape);
}

Result<ModelShape> read_shape_of(const ModelFiles& files) {
  const GgufValue* named = find_value(files.metadata(), "general.architecture");
  if (!named || !named->as_string()) {
    return fail(Code::corrupt, "general.architecture is missing: not a model's file");
  }
  const Architecture* architecture = find_architecture(*named->as_string());
  if (!architecture) {
    return fail(Code::unsupported, fmt::format("architecture \"{}\" is not one we know how to "
                                               "measure", *named->as_string()));
  }
  const ShapeKeys keys(files.metadata(), *named->as_string());
  ModelShape shape;
  shape.architecture = keys.architecture();
  shape.name = model_name(files);
  shape.kv_kind = architecture->kv_kind;
  const auto blocks = TRY(read_block_count(keys));
  const auto prediction = TRY(keys.count_or("nextn_predict_layers", 0));
  if (prediction >= blocks) return fail(Code::corrupt, "nextn_predict_layers leaves no layer");
  shape.layers = blocks - prediction;
  TRY(read_numbers(keys, shape));
  TRY(read_weights(files, blocks, shape));
  return shape;
}

}  // namespace

std::string_view kv_kind_name(KvKind kind) {
  switch (kind) {
    case KvKind::attention: return "attention";
    case KvKind::mla: return "mla";
    case KvKind::sliding_window: return "sliding_window";
    case KvKind::hybrid: return "hybrid";
    case KvKind::unknown: return "unknown";
  }
  return "?";
}

Result<ModelShape> read_shape(const ModelFiles& files) {
  auto shape = read_shape_of(files);
  if (!shape) {
    return std::unexpected(
        with_context(std::move(shape).error(), files.shards.front().path.string()));
  }
  return shape;
}

}  // namespace hearth::model
