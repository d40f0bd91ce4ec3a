// Models, their variants and quantisations.

#include <fmt/format.h>

#include <algorithm>

#include "hearth/plan/catalog/read_entries.h"

namespace hearth::plan {
namespace {

constexpr Range params_range{1e6, 1e14};
constexpr Range layers_range{1, 1000};
constexpr Range width_range{1, 1e6};
constexpr Range tokens_range{0, 1e8};
constexpr Range kv_bytes_range{1, 1e8};
constexpr Range weight_bytes_range{1e6, 1e14};
constexpr Range bits_range{0.5, 33};
constexpr Range flop_range{1, 1e15};

Variant read_variant(const Json& table, const ReadContext& context) {
  Entry entry(table, context.file, "variant", context.problems);
  Variant variant;
  variant.name = entry.text("name");
  variant.format = entry.text("format");
  variant.bytes = static_cast<std::uint64_t>(entry.number_required("bytes", weight_bytes_range));
  variant.routed_bits_per_weight = entry.number("routed_bits_per_weight", bits_range);
  variant.bytes_read_per_token =
      entry.count<std::uint64_t>("bytes_read_per_token", weight_bytes_range);
  variant.bytes_per_layer = entry.count<std::uint64_t>("bytes_per_layer", weight_bytes_range);
  variant.perplexity = entry.number("perplexity", {1, 1e6});
  variant.layout = entry.text_or("layout");
  variant.requires_engine = entry.text_or("requires");
  variant.note = entry.text_or("note");
  if (variant.bytes_read_per_token && *variant.bytes_read_per_token > variant.bytes) {
    entry.problem("bytes_read_per_token is larger than bytes: a token cannot read more than all");
  }
  variant.origin = read_origin(entry);
  entry.informative({"publisher", "shards", "bits_per_weight"});
  entry.finish();
  return variant;
}

}  // namespace

Quantisation read_quantisation(const Json& table, const ReadContext& context) {
  Entry entry(table, context.file, "quantisation", context.problems);
  Quantisation out;
  out.key = entry.text("key");
  out.bits_per_weight = entry.number_required("bits_per_weight", bits_range);
  out.other_bits_per_weight = entry.number_required("other_bits_per_weight", bits_range);
  out.origin = read_origin(entry);
  entry.finish();
  return out;
}

namespace {

// What is only shown: kept as it stands, read by nobody.
void leave_shown(Entry& entry) {
  entry.informative({
      "released", "license", "hf_arch", "active_other_params", "active_params_note", "q_lora_rank",
      "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "shared_experts",
      "expert_params", "bos_token", "eos_token", "eos_note", "rope_theta", "rope_scaling",
      "rope_note", "expert_scoring", "vision", "native_precision", "sampling_thinking",
      "sampling_instant", "linear_flop_per_token_prefill", "gguf_tensors",
      "linear_attention_layers", "kv_heads", "head_dim", "linear_key_heads", "linear_value_heads",
      "linear_head_dim", "mtp_layers", "context_note", "hash_gate_layers", "o_groups",
      "o_lora_rank", "index_heads", "index_head_dim", "index_topk", "hyper_connections",
      "compress_rope_theta", "kv_snapshot_bytes_per_token_ds4", "kv_snapshot_bytes_fixed_ds4"});
}

// The model of that key, without what is its own.
Model like(const std::string& key, const std::vector<Model>& known, Entry& entry) {
  const auto base = std::ranges::find(known, key, &Model::key);
  if (base == known.end()) {
    entry.problem(fmt::format("same_architecture_as = \"{}\": no such model above", key));
    return {};
  }
  Model out = *base;
  out.variants.clear();
  out.notes.clear();
  return out;
}

// Whatever is not there stays as it is.
void read_numbers(Entry& entry, Model& model) {
  const auto number = [&](std::string_view name, double& into, Range range) {
    into = entry.number(name, range).value_or(into);
  };
  const auto count = [&]<class T>(std::string_view name, T& into, Range range) {
    into = entry.count<T>(name, range).value_or(into);
  };
  number("total_params", model.total_params, params_range);
  number("active_params_decode", model.active_params_decode, params_range);
  number("active_params_prefill", model.active_params_prefill, params_range);
  number("active_routed_params", model.active_routed_params, params_range);
  number("routed_params", model.routed_params, params_range);
  number("head_params", model.head_params, params_range);
  number("other_params", model.other_params, params_range);
  count("layers", model.layers, layers_range);
  count("dense_layers", model.dense_layers, {0, 1000});
  count("full_attention_layers", model.full_attention_layers, layers_range);
  count("sliding_attention_layers", model.sliding_attention_layers, layers_range);
  count("sliding_window", model.sliding_window, width_range);
  count("hidden", model.hidden, width_range);
  count("heads", model.heads, width_range);
  count("vocab", model.vocab, {1, 1e7});
  count("dense_ffn", model.dense_ffn, width_range);
  count("moe_ffn", model.moe_ffn, width_range);
  count("experts", model.experts, {1, 1e5});
  count("experts_per_token", model.experts_per_token, {1, 1e5});
  count("context", model.context, tokens_range);
  count("kv_bytes_per_token_f16", model.kv_bytes_per_token_f16, kv_bytes_range);
  count("kv_bytes_per_token_q8_0", model.kv_bytes_per_token_q8_0, kv_bytes_range);
  count("kv_bytes_per_token_f16_full_layers", model.kv_bytes_per_token_f16_full_layers,
        kv_bytes_range);
  count("recurrent_state_bytes_f32", model.recurrent_state_bytes, {1, 1e12});
  number("attention_flop_per_context_token", model.attention_flop_per_context_token, flop_range);
  number("attention_flop_per_context_token_absorbed",
         model.attention_flop_per_context_token_absorbed, flop_range);
  number("kv_up_projection_flop_per_context_token", model.kv_up_projection_flop_per_context_token,
         flop_range);
}

void check_numbers(Entry& entry, const Model& model, bool is_whole) {
  if (model.experts_per_token > model.experts) entry.problem("experts_per_token is above experts");
  if (model.active_params_decode > model.total_params) {
    entry.problem("active_params_decode is above total_params");
  }
  if (is_whole && (model.total_params == 0 || model.layers == 0 || model.active_params_decode == 0)) {
    entry.problem("a model needs total_params, active_params_decode and layers");
  }
}

}  // namespace

Model read_model(const Json& table, const std::vector<Model>& known, const ReadContext& context) {
  Entry entry(table, context.file, "model", context.problems);
  const std::string key = entry.text("key");
  const std::string same = entry.text_or("same_architecture_as");
  Model model = same.empty() ? Model() : like(same, known, entry);
  model.key = key;
  if (same.empty()) model.architecture = key;
  model.name = entry.text_or("name", key);
  model.gguf_arch = entry.text_or("gguf_arch", model.gguf_arch);
  model.attention = entry.text_or("attention", model.attention);
  read_numbers(entry, model);
  check_numbers(entry, model, /*is_whole=*/same.empty());
  for (const Json* variant : entry.tables("variant")) {
    model.variants.push_back(read_variant(*variant, context));
  }
  for (std::string& note : entry.strings("notes")) model.notes.push_back(std::move(note));
  model.origin = read_origin(entry);
  leave_shown(entry);
  entry.finish();
  return model;
}

}  // namespace hearth::plan
