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
constexpr Range round_trip_ms_range{1e-4, 1e5};
constexpr Range spread_range{0, 1e3};
constexpr Range tflops_range{0.01, 20000};
constexpr Range tokens_range{0, 1e8};
constexpr Range weight_bytes_range{1e6, 1e14};
constexpr Range rate_range{0.001, 1e6};

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

std::optional<ProbedLink> read_probed(Entry& entry) {
  const auto there = entry.number("there_gb_s", link_gb_s_range);
  const auto back = entry.number("back_gb_s", link_gb_s_range);
  const auto round_trip = entry.number("round_trip_ms", round_trip_ms_range);
  ProbedLink out;
  out.there_spread = entry.number("there_spread", spread_range).value_or(0);
  out.back_spread = entry.number("back_spread", spread_range).value_or(0);
  out.round_trip_spread = entry.number("round_trip_spread", spread_range).value_or(0);
  out.date = entry.text_or("date");
  if (!there && !back && !round_trip) return {};
  if (!there || !back || !round_trip) entry.problem("give there_gb_s, back_gb_s and round_trip_ms, or none of them");
  out.there_gb_s = there.value_or(0);
  out.back_gb_s = back.value_or(0);
  out.round_trip_ms = round_trip.value_or(0);
  return out;
}

}  // namespace

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
    entry.problem(fmt::format("confidence = \"{}\": expected own, source, calculated or secondary",
                              confidence));
  }
  return origin;
}

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
  if (machine.usable_bytes && machine.memory_bytes &&
      *machine.usable_bytes > *machine.memory_bytes) {
    entry.problem("usable_bytes_default is above memory_bytes");
  }
  if (machine.planning_bytes && machine.usable_bytes &&
      *machine.planning_bytes > *machine.usable_bytes) {
    entry.problem("planning_bytes is above usable_bytes_default");
  }
  machine.origin = read_origin(entry);
  entry.informative({"soc",
                     "cpu_cores",
                     "gpu_cores",
                     "usable_fraction",
                     "usable_reason",
                     "usable_confidence",
                     "usable_bytes_raised",
                     "usable_raised_reason",
                     "visible_bytes",
                     "visible_source",
                     "memory_bandwidth_source",
                     "metal_tensor_api",
                     "metal_tensor_note",
                     "storage_source",
                     "storage_confidence",
                     "storage_note",
                     "power_w_decode",
                     "power_source",
                     "ports",
                     "ports_note",
                     "ports_confidence",
                     "decode_bandwidth_efficiency",
                     "moe_layer_ms"});
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
  link.probed = read_probed(entry);
  link.notes = entry.strings("notes");
  const bool too_fast =
      link.effective_gb_s && link.nominal_gbit_s && *link.effective_gb_s * 8 > *link.nominal_gbit_s;
  if (too_fast) entry.problem("effective_gb_s times 8 is above nominal_gbit_s");
  if (link.probed && link.between.size() != 2) entry.problem("between: expected the two machines that were probed");
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
  entry.informative({"languages",
                     "platforms",
                     "weight_formats",
                     "split_supported",
                     "split_building_blocks",
                     "split_building_blocks_confidence",
                     "split_state_confidence",
                     "split_protocol",
                     "split_modes",
                     "multi_machine",
                     "parallelism",
                     "placement",
                     "auth",
                     "apis",
                     "tool_calls",
                     "structured_output",
                     "prompt_cache",
                     "prompt_cache_persistence",
                     "kv_types",
                     "streamed_weights"});
  entry.finish();
  return engine;
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

OwnRun read_run(const Json& table, const ReadContext& context) {
  Entry entry(table, context.file, "run", context.problems);
  OwnRun run;
  run.id = entry.text("id");
  run.hardware = entry.text("hardware");
  run.architecture = entry.text("architecture");
  run.phase = entry.text("phase");
  if (run.phase != "prefill" && run.phase != "decode") {
    entry.problem(fmt::format("phase = \"{}\": expected prefill or decode", run.phase));
  }
  run.weights_bytes = entry.count<std::uint64_t>("weights_bytes", weight_bytes_range).value_or(0);
  run.depth = entry.count_or<std::uint64_t>("depth", 0, tokens_range);
  run.tokens = entry.count<std::uint64_t>("tokens", {1, 1e8}).value_or(0);
  run.ubatch = entry.count_or<std::uint32_t>("ubatch", 512, {1, 1e6});
  run.lent = entry.flag_or("lent", false);
  run.seconds = entry.number_required("seconds", {1e-6, 1e6});
  run.spread = entry.number("spread", {0, 1e3}).value_or(0);
  if (run.weights_bytes == 0 || run.tokens == 0) {
    entry.problem("a run needs weights_bytes and tokens");
  }
  run.date = entry.text_or("date");
  run.origin = read_origin(entry);
  entry.informative({"model", "threads"});
  entry.finish();
  return run;
}

}  // namespace hearth::plan
