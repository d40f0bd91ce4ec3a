#include <fmt/format.h>

#include "hearth/engine/synth/tensor_plan.h"

namespace hearth::engine {
namespace {

std::string architecture_name(Architecture architecture) {
  switch (architecture) {
    case Architecture::kimi: return "deepseek2";
    case Architecture::qwen3moe: return "qwen3moe";
    case Architecture::llama: return "llama";
    case Architecture::gpt_oss: return "gpt-oss";
    case Architecture::qwen35moe: return "qwen35moe";
  }
  return {};
}

// The numbers that GGUF gives to whole-file types.
std::uint32_t file_type_of(WeightType type) {
  switch (type) {
    case WeightType::f16: return 1;
    case WeightType::q8_0: return 7;
    case WeightType::q4_k: return 14;
    case WeightType::q2_k: return 10;
  }
  return 0;
}

class KeyWriter {
 public:
  KeyWriter(Metadata& metadata, std::string prefix)
      : metadata_(metadata), prefix_(std::move(prefix)) {}
  void set(std::string_view key, std::size_t value) {
    add(key, static_cast<std::uint32_t>(value));
  }
  void set_real(std::string_view key, double value) { add(key, static_cast<float>(value)); }
  void set_list(std::string_view key, std::vector<std::int32_t> values) {
    add(key, std::move(values));
  }
  void set_flag(std::string_view key, bool value) { add(key, value); }

 private:
  void add(std::string_view key, MetadataValue value) {
    metadata_.emplace_back(fmt::format("{}.{}", prefix_, key), std::move(value));
  }
  Metadata& metadata_;
  std::string prefix_;
};

void add_general(Metadata& metadata, const SynthOptions& options) {
  metadata.emplace_back("general.architecture", architecture_name(options.architecture));
  metadata.emplace_back("general.type", std::string("model"));
  metadata.emplace_back("general.name",
                        fmt::format("Hearth synthetic {} {}, {} weights, seed {}",
                                    word_of(options.architecture), word_of(options.size),
                                    word_of(options.weights), options.seed));
  metadata.emplace_back("general.file_type", file_type_of(options.type));
  metadata.emplace_back("general.quantization_version", std::uint32_t{2});
  metadata.emplace_back("hearth.synthetic.seed", options.seed);
}

void add_mla(KeyWriter& keys, const Shape& shape) {
  keys.set("attention.head_count_kv", 1);
  keys.set("attention.q_lora_rank", shape.query_rank);
  keys.set("attention.kv_lora_rank", shape.latent_rank);
  keys.set("attention.key_length", shape.latent_rank + shape.rope_width);
  keys.set("attention.value_length", shape.latent_rank);
  keys.set("attention.key_length_mla", shape.nope_width + shape.rope_width);
  keys.set("attention.value_length_mla", shape.value_width);
  keys.set("leading_dense_block_count", shape.dense_layers);
  keys.set("expert_shared_count", shape.experts_shared);
  keys.set_real("expert_weights_scale", 2.5);
  keys.set_flag("expert_weights_norm", true);
  keys.set("expert_gating_func", 2);  // sigmoid
  keys.set("expert_group_count", 1);
  keys.set("expert_group_used_count", 1);
}

void add_grouped(KeyWriter& keys, const Shape& shape) {
  keys.set("attention.head_count_kv", shape.kv_heads);
  keys.set("attention.key_length", shape.head_width);
  keys.set("attention.value_length", shape.head_width);
}

void add_recurrence(KeyWriter& keys, const Shape& shape) {
  keys.set("full_attention_interval", shape.attention_interval);
  keys.set("ssm.conv_kernel", shape.convolution);
  keys.set("ssm.state_size", shape.state_width);
  keys.set("ssm.group_count", shape.state_groups);
  keys.set("ssm.time_step_rank", shape.state_heads);
  keys.set("ssm.inner_size", shape.state_heads * shape.state_width);
  keys.set("expert_shared_feed_forward_length", shape.expert_feed_forward);
  // Of the axes of a position: time, height, width, none. Text has the same number on each.
  keys.set_list("rope.dimension_sections", {11, 11, 10, 0});
}

void add_dimensions(Metadata& metadata, const Shape& shape) {
  KeyWriter keys(metadata, architecture_name(shape.architecture));
  keys.set("context_length", kContextLength);
  keys.set("embedding_length", shape.width);
  keys.set("block_count", shape.layers);
  keys.set("feed_forward_length", shape.feed_forward);
  keys.set("vocab_size", kTokenCount);
  keys.set("attention.head_count", shape.heads);
  keys.set_real("attention.layer_norm_rms_epsilon", 1e-5);
  keys.set("rope.dimension_count", shape.rope_width);
  keys.set_real("rope.freq_base", shape.rope_base);
  if (shape.experts > 0) {
    keys.set("expert_count", shape.experts);
    keys.set("expert_used_count", shape.experts_used);
    keys.set("expert_feed_forward_length", shape.expert_feed_forward);
  }
  shape.is_mla() ? add_mla(keys, shape) : add_grouped(keys, shape);
  if (shape.window > 0) keys.set("attention.sliding_window", shape.window);
  if (shape.attention_interval > 0) add_recurrence(keys, shape);
}

void add_tokenizer(Metadata& metadata, const Vocabulary& vocabulary) {
  metadata.emplace_back("tokenizer.ggml.model", std::string("gpt2"));
  metadata.emplace_back("tokenizer.ggml.pre", vocabulary.pre);
  metadata.emplace_back("tokenizer.ggml.tokens", vocabulary.texts);
  metadata.emplace_back("tokenizer.ggml.token_type", vocabulary.kinds);
  // Without merges every byte stays a token of its own.
  metadata.emplace_back("tokenizer.ggml.merges", std::vector<std::string>{});
  metadata.emplace_back("tokenizer.ggml.bos_token_id", vocabulary.begin);
  metadata.emplace_back("tokenizer.ggml.eos_token_id", vocabulary.end);
  metadata.emplace_back("tokenizer.ggml.add_bos_token", vocabulary.adds_begin);
  metadata.emplace_back("tokenizer.chat_template", vocabulary.chat_template);
}

}  // namespace

Metadata metadata_of(const SynthOptions& options, const Shape& shape,
                     const Vocabulary& vocabulary) {
  Metadata metadata;
  add_general(metadata, options);
  add_dimensions(metadata, shape);
  add_tokenizer(metadata, vocabulary);
  return metadata;
}

}  // namespace hearth::engine
