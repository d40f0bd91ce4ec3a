#include "hearth/plan/catalog/read_entries.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::plan {
namespace {

// Wide enough for anything sold, narrow enough to catch a wrong unit (MB for bytes, Gbit for GB).
constexpr Range memory_bytes_range{1e9, 1e14};
constexpr Range bandwidth_gb_s_range{1, 20000};
constexpr Range storage_gb_s_range{0.05, 100};
constexpr Range link_gb_s_range{0.001, 500};
constexpr Range link_gbit_s_range{0.01, 4000};
constexpr Range latency_us_range{0.1, 1e6};
constexpr Range tflops_range{0.01, 20000};
constexpr Range params_range{1e6, 1e14};
constexpr Range layers_range{1, 1000};
constexpr Range width_range{1, 1e6};
constexpr Range tokens_range{0, 1e8};
constexpr Range kv_bytes_range{1, 1e8};
constexpr Range weight_bytes_range{1e6, 1e14};
constexpr Range bits_range{0.5, 33};
constexpr Range rate_range{0.001, 1e6};
constexpr Range flop_range{1, 1e15};

Origin read_origin(Entry& entry) {
  Origin origin;
  origin.source = entry.text("source");
  const std::string confidence = entry.text("confidence");
  for (const Confidence c :
       {Confidence::own, Confidence::source, Confidence::calculated, Confidence::secondary}) {
    if (confidence == confidence_name(c)) {
      origin.confidence = c;
      return origin;
    }
  }
  if (!confidence.empty()) {
    entry.problem(fmt::format(
        "confidence = \"{}\": expected own, source, calculated or secondary", confidence));
  }
  return origin;
}

PrefillPrior read_prior(const Json& table, const ReadContext& context) {
  Entry entry(table, context.file, "prefill_tflops_effective", context.problems);
  PrefillPrior prior;
  prior.model_class = entry.text("class");
  const auto value = entry.number("value", tflops_range);
  const auto low = entry.number("low", tflops_range);
  const auto high = entry.number("high", tflops_range);
  if (!value && !(low && high)) entry.problem("give value, or low and high");
  prior.low_tflops = low ? *low : value.value_or(0);
  prior.high_tflops = high ? *high : value.value_or(0);
  if (prior.low_tflops > prior.high_tflops) entry.problem("low is above high");
  prior.origin = read_origin(entry);
  entry.finish();
  return prior;
}

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

Machine read_machine(const Json& table, const ReadContext& context) {
  Entry entry(table, context.file, "machine", context.problems);
  Machine machine;
  machine.key = entry.text("key");
  machine.chip = entry.text_or("chip", machine.key);
  machine.name = entry.text_or("name", machine.key);
  machine.role = entry.text_or("role");
  machine.backend = entry.text("backend");
  machine.os = entry.text_or("os");
  machine.memory_bytes = entry.count<std::uint64_t>("memory_bytes", memory_bytes_range);
  machine.usable_bytes = entry.count<std::uint64_t>("usable_bytes_default", memory_bytes_range);
  machine.planning_bytes = entry.count<std::uint64_t>("planning_bytes", memory_bytes_range);
  machine.planning_reason = entry.text_or("planning_reason");
  machine.memory_bandwidth_gb_s = entry.number("memory_bandwidth_gb_s", bandwidth_gb_s_range);
  machine.storage_read_gb_s = entry.number("storage_read_gb_s", storage_gb_s_range);
  machine.notes = entry.strings("notes");
  for (const Json* prior : entry.tables("prefill_tflops_effective")) {
    machine.prefill_priors.push_back(read_prior(*prior, context));
  }
  if (machine.usable_bytes && machine.memory_bytes && *machine.usable_bytes > *machine.memory_bytes) {
    entry.problem("usable_bytes_default is above memory_bytes");
  }
  if (machine.planning_bytes && machine.usable_bytes &&
      *machine.planning_bytes > *machine.usable_bytes) {
    entry.problem("planning_bytes is above usable_bytes_default");
  }
  machine.origin = read_origin(entry);
  entry.informative(
      {"soc", "cpu_cores", "gpu_cores", "usable_fraction", "usable_reason", "usable_confidence",
       "usable_bytes_raised", "usable_raised_reason", "visible_bytes", "visible_source",
       "memory_bandwidth_source", "metal_tensor_api", "metal_tensor_note", "storage_source",
       "storage_confidence", "storage_note", "power_w_decode", "power_source", "ports",
       "ports_note", "ports_confidence", "decode_bandwidth_efficiency", "moe_layer_ms"});
  entry.finish();
  return machine;
}

Link read_link(const Json& table, const ReadContext& context) {
  Entry entry(table, context.file, "link", context.problems);
  Link link;
  link.key = entry.text("key");
  link.name = entry.text_or("name", link.key);
  link.transport = entry.text_or("transport");
  link.between = entry.strings("between");
  link.nominal_gbit_s = entry.number("nominal_gbit_s", link_gbit_s_range);
  link.effective_gb_s = entry.number("effective_gb_s", link_gb_s_range);
  link.effective_low_gb_s = entry.number("effective_low_gb_s", link_gb_s_range);
  link.effective_high_gb_s = entry.number("effective_high_gb_s", link_gb_s_range);
  link.latency_us = entry.number("latency_us", latency_us_range);
  link.notes = entry.strings("notes");
  const bool too_fast = link.effective_gb_s && link.nominal_gbit_s &&
                        *link.effective_gb_s * 8 > *link.nominal_gbit_s;
  if (too_fast) entry.problem("effective_gb_s times 8 is above nominal_gbit_s");
  link.origin = read_origin(entry);
  entry.informative({"latency_high_us"});
  entry.finish();
  return link;
}

Cluster read_cluster(const Json& table, const ReadContext& context) {
  Entry entry(table, context.file, "cluster", context.problems);
  Cluster cluster;
  cluster.key = entry.text("key");
  cluster.name = entry.text_or("name", cluster.key);
  for (const Json* item : entry.tables("member")) {
    Entry member(*item, context.file, "member", context.problems);
    cluster.members.push_back({member.text("name"), member.text("machine")});
    member.finish();
  }
  for (const Json* item : entry.tables("connection")) {
    Entry part(*item, context.file, "connection", context.problems);
    ClusterConnection connection;
    const std::vector<std::string> ends = part.strings("ends");
    if (ends.size() == 2) {
      connection.a = ends[0];
      connection.b = ends[1];
    } else {
      part.problem("ends: expected two member names like [\"studio\", \"laptop\"]");
    }
    connection.link = part.text("link");
    connection.fallback = part.text_or("fallback");
    connection.note = part.text_or("note");
    part.finish();
    cluster.connections.push_back(std::move(connection));
  }
  cluster.origin = read_origin(entry);
  entry.informative({"members"});
  entry.finish();
  return cluster;
}

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

EngineEntry read_engine(const Json& table, const ReadContext& context) {
  Entry entry(table, context.file, "engine", context.problems);
  EngineEntry engine;
  engine.key = entry.text("key");
  engine.name = entry.text_or("name", engine.key);
  engine.version = entry.text("version");
  engine.as_of = entry.text("as_of");
  engine.kernels = entry.text("kernels");
  engine.backends = entry.strings("backends");
  engine.formats = entry.strings("formats");
  engine.families = entry.strings("families");
  engine.transports = entry.strings("transports");
  engine.known_blockers = entry.strings("known_blockers");
  engine.spans_backends = entry.flag_or("spans_backends", false);
  engine.split_state = entry.text_or("split_state");
  if (engine.backends.empty()) entry.problem("backends: expected at least one");
  if (engine.formats.empty()) entry.problem("formats: expected at least one");
  engine.origin = read_origin(entry);
  entry.informative(
      {"languages", "platforms", "weight_formats", "split_supported", "split_building_blocks",
       "split_building_blocks_confidence", "split_state_confidence", "split_protocol",
       "split_modes", "multi_machine", "parallelism", "placement", "auth", "apis", "tool_calls",
       "structured_output", "prompt_cache", "prompt_cache_persistence", "kv_types",
       "streamed_weights"});
  entry.finish();
  return engine;
}

Model read_model(const Json& table, const std::vector<Model>& known, const ReadContext& context) {
  Entry entry(table, context.file, "model", context.problems);
  Model model;
  const std::string key = entry.text("key");
  const std::string same = entry.text_or("same_architecture_as");
  if (!same.empty()) {
    const auto base = std::ranges::find(known, same, &Model::key);
    if (base == known.end()) {
      entry.problem(fmt::format("same_architecture_as = \"{}\": no such model above", same));
    } else {
      model = *base;
      model.variants.clear();
      model.notes.clear();
    }
  }
  model.key = key;
  if (same.empty()) model.architecture = key;
  const bool whole = same.empty();
  const auto number = [&](std::string_view name, double& into, Range range) {
    into = entry.number(name, range).value_or(into);
  };
  const auto count = [&]<class T>(std::string_view name, T& into, Range range) {
    into = entry.count<T>(name, range).value_or(into);
  };
  model.name = entry.text_or("name", key);
  model.gguf_arch = entry.text_or("gguf_arch", model.gguf_arch);
  model.attention = entry.text_or("attention", model.attention);
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
  if (model.experts_per_token > model.experts) entry.problem("experts_per_token is above experts");
  if (model.active_params_decode > model.total_params) {
    entry.problem("active_params_decode is above total_params");
  }
  if (whole && (model.total_params == 0 || model.layers == 0 || model.active_params_decode == 0)) {
    entry.problem("a model needs total_params, active_params_decode and layers");
  }
  for (const Json* variant : entry.tables("variant")) {
    model.variants.push_back(read_variant(*variant, context));
  }
  for (std::string& note : entry.strings("notes")) model.notes.push_back(std::move(note));
  model.origin = read_origin(entry);
  entry.informative(
      {"released", "license", "hf_arch", "active_other_params", "active_params_note",
       "q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim",
       "shared_experts", "moe_ffn", "dense_ffn", "expert_params", "bos_token", "eos_token",
       "eos_note", "rope_theta", "rope_scaling", "rope_note", "expert_scoring", "vision",
       "native_precision", "sampling_thinking", "sampling_instant", "linear_flop_per_token_prefill",
       "gguf_tensors", "linear_attention_layers", "kv_heads", "head_dim", "linear_key_heads",
       "linear_value_heads", "linear_head_dim", "mtp_layers", "context_note", "hash_gate_layers",
       "o_groups", "o_lora_rank", "index_heads", "index_head_dim", "index_topk",
       "hyper_connections", "compress_rope_theta", "kv_snapshot_bytes_per_token_ds4",
       "kv_snapshot_bytes_fixed_ds4"});
  entry.finish();
  return model;
}

Measurement read_measurement(const Json& table, const ReadContext& context) {
  Entry entry(table, context.file, "measurement", context.problems);
  Measurement row;
  row.id = entry.text("id");
  row.hardware = entry.text("hardware");
  row.nodes = entry.count_or<std::uint32_t>("nodes", 1, {1, 1000});
  row.link = entry.text_or("link");
  row.model = entry.text("model");
  row.quant = entry.text_or("quant");
  row.engine = entry.text("engine");
  row.engine_generation = entry.text_or("engine_generation");
  row.method = entry.text_or("method");
  row.parallelism = entry.text_or("parallelism");
  const std::string kind = entry.text_or("prefill_kind", "average");
  if (kind != "chunk" && kind != "average") {
    entry.problem(fmt::format("prefill_kind = \"{}\": expected chunk or average", kind));
  }
  row.prefill_is_chunk = kind == "chunk";
  row.prompt_tokens = entry.count<std::uint64_t>("prompt_tokens", {1, 1e8});
  row.depth = entry.count_or<std::uint64_t>("depth", 0, tokens_range);
  row.gen_tokens = entry.count_or<std::uint64_t>("gen_tokens", 0, tokens_range);
  row.ubatch = entry.count<std::uint32_t>("ubatch", {1, 1e6});
  row.concurrency = entry.count_or<std::uint32_t>("concurrency", 1, {1, 1e5});
  row.prefill_tok_s = entry.number("prefill_tok_s", rate_range);
  row.decode_tok_s = entry.number("decode_tok_s", rate_range);
  row.weights_bytes = entry.count<std::uint64_t>("weights_bytes", weight_bytes_range);
  row.flags = entry.strings("flags");
  row.date = entry.text_or("date");
  row.note = entry.text_or("note");
  if (!row.prefill_tok_s && !row.decode_tok_s) {
    entry.problem("a measurement needs prefill_tok_s or decode_tok_s");
  }
  row.origin = read_origin(entry);
  entry.informative({"engine_version", "prefill_tok_s_sd", "decode_tok_s_sd", "prefill_tok_s_min",
                     "prefill_tok_s_max", "decode_tok_s_min", "decode_tok_s_max", "power_w",
                     "peak_memory_gb", "bits_per_weight"});
  entry.finish();
  return row;
}

}  // namespace hearth::plan
