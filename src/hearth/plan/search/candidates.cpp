#include "hearth/plan/search/candidates.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace hearth::plan {
namespace {

constexpr double bytes_per_gb = 1e9;
constexpr double interval_sd = 1.2816;  // 80 %
// Request, dispatch, tokenising: paid once when prefill happens elsewhere.
constexpr double handoff_fixed_s = 0.05;  // where nobody measured it
constexpr double handoff_log_sd = 0.5;
// Streaming kept 73 to 81 % of resident prefill where it was published.
constexpr double streaming_efficiency = 0.77;
constexpr double streaming_log_sd = 0.4;

bool separate(const Layout& layout) { return !layout.prefill.empty(); }
const Pool& prefill_pool(const Layout& layout) {
  return separate(layout) ? layout.prefill : layout.decode;
}

Interval interval(double seconds, double log_sd) {
  return {seconds, seconds * std::exp(-interval_sd * log_sd),
          seconds * std::exp(interval_sd * log_sd)};
}
Interval rate_interval(double rate, double log_sd) { return interval(rate, log_sd); }

// The KV that is still on the wire when the last pass ends: one chunk, and what the decode side
// wrote in the turn before goes the other way.
TimePart tail(const Scene& scene, const Layout& layout, double new_tokens) {
  TimePart part{.name = "hand-off", .seconds = 0, .log_sd = handoff_log_sd, .node = std::nullopt};
  double fixed_s = handoff_fixed_s;
  const std::size_t to = layout.decode.front().node;
  for (const Stage& stage : layout.prefill) {
    if (stage.node == to) continue;
    const std::size_t from =
        layout.family == Family::gathered ? stage.node : layout.prefill.front().node;
    const Wire* wire = scene.spec().between(from, to);
    if (!wire) continue;
    const double share =
        layout.family == Family::gathered ? static_cast<double>(stage.count) / scene.layers() : 1.0;
    const double tokens = std::min(chunk_tokens, new_tokens);
    const double back = static_cast<double>(scene.workload().output_tokens);
    part.seconds += share * handoff_bytes(scene.card(), layout.kv, tokens + back) /
                        (wire->gb_s * bytes_per_gb) +
                    2 * wire->latency_s;
    fixed_s = wire->handoff_fixed_s.value_or(fixed_s);
    if (layout.family != Family::gathered) break;
  }
  part.seconds += fixed_s;
  return part;
}

// KV leaves as it is made; a wire slower than prefill stretches it.
double wire_bound_s(const Scene& scene, const Layout& layout, double new_tokens) {
  if (!separate(layout) || layout.family == Family::gathered) return 0;
  const Wire* wire = scene.spec().between(layout.prefill.front().node, layout.decode.front().node);
  return wire ? handoff_bytes(scene.card(), layout.kv, new_tokens) / (wire->gb_s * bytes_per_gb)
              : 0;
}

std::optional<Duration> prefill_time(const Scene& scene, const Scene& prefill_scene,
                                     const Layout& layout, double depth, double new_tokens) {
  std::optional<Duration> time =
      prefill_scene.prefill(prefill_pool(layout), depth, new_tokens, layout.ubatch);
  if (!time) return std::nullopt;
  if (layout.family == Family::streamed) {
    const double passes = std::ceil(new_tokens / layout.ubatch);
    const double disk_s = passes * layout.streamed_bytes / layout.streamed_bytes_per_s;
    for (TimePart& part : time->parts) part.seconds /= streaming_efficiency;
    if (disk_s > time->seconds()) {
      time->add({.name = "waiting for storage",
                 .seconds = disk_s - time->seconds(),
                 .log_sd = streaming_log_sd,
                 .node = std::nullopt});
    }
    for (TimePart& part : time->parts) part.log_sd += streaming_log_sd;
  }
  const double wire_s = wire_bound_s(scene, layout, new_tokens);
  if (wire_s > time->seconds()) {
    time->add({.name = "waiting for the wire",
               .seconds = wire_s - time->seconds(),
               .log_sd = handoff_log_sd,
               .node = std::nullopt});
  }
  return time;
}

std::string largest_part(const Duration& duration) {
  const TimePart* largest = nullptr;
  for (const TimePart& part : duration.parts) {
    if (!largest || part.seconds > largest->seconds) largest = &part;
  }
  if (!largest) return "";
  return fmt::format("{}: {:.0f} %", largest->name, 100 * largest->seconds / duration.seconds());
}

std::optional<LeastCertain> least_certain(const Timing& timing, const Workload& workload) {
  std::optional<LeastCertain> out;
  double worst = 0;
  const auto look = [&](const Duration& duration, double times, bool prefill) {
    for (const TimePart& part : duration.parts) {
      const double weight = part.seconds * times * part.log_sd;
      if (!part.node || weight <= worst) continue;
      worst = weight;
      out = LeastCertain{*part.node, prefill, part.log_sd, part.seconds * times / timing.turn_s};
    }
  };
  look(timing.prefill, 1, true);
  look(timing.step, static_cast<double>(workload.output_tokens), false);
  return out;
}

void place(const Scene& scene, const Layout& layout, Plan& plan) {
  const auto add = [&](const Pool& pool, std::string_view role, const Scene& by, bool hands_off) {
    for (const Stage& stage : pool) {
      const ContextShape shape{.context_tokens = by.workload().context_tokens,
                               .streams = by.workload().streams,
                               .ubatch = layout.ubatch,
                               .kv = layout.kv,
                               .leads = stage.leads,
                               .hands_off = hands_off};
      plan.placements.push_back({stage.node, std::string(role), stage.first, stage.count,
                                 stage.leads, by.card().variant, by.memory(stage, shape)});
    }
  };
  add(layout.decode, separate(layout) ? "decode" : "both", scene, separate(layout));
  if (separate(layout)) add(layout.prefill, "prefill", scene, true);
}

std::vector<CurvePoint> curve_of(const Scene& scene, const Scene& prefill_scene,
                                 const Layout& layout, std::uint64_t max_context) {
  std::vector<CurvePoint> out;
  const double new_tokens = static_cast<double>(scene.workload().new_tokens());
  for (const std::uint64_t tokens :
       {2048u, 8192u, 16384u, 32768u, 65536u, 131072u, 200000u, 262144u}) {
    if (tokens > max_context) break;
    const double context = static_cast<double>(tokens);
    const double turn_new = std::min(new_tokens, context);
    const auto cold = time_of(scene, prefill_scene, layout, 0, context);
    const auto turn = time_of(scene, prefill_scene, layout, context - turn_new, turn_new);
    if (!cold || !turn) break;
    out.push_back({tokens, cold->first.seconds(), turn->first.seconds(),
                   turn_new / turn->prefill.seconds(), 1 / turn->step.seconds()});
  }
  return out;
}

// Up to `most`; 0 when nothing does. What holds for a number holds for each below it.
template <class Holds>
std::uint64_t largest(std::uint64_t most, Holds holds) {
  std::uint64_t low = 0;
  while (low < most) {
    const std::uint64_t middle = low + (most - low + 1) / 2;
    if (holds(middle)) low = middle;
    else most = middle - 1;
  }
  return low;
}

}  // namespace

std::vector<MemoryUse> memory_of(const Scene& scene, const Layout& layout, std::uint64_t context_tokens,
                                 std::uint32_t streams) {
  std::vector<MemoryUse> out(scene.spec().nodes.size());
  ContextShape shape{.context_tokens = context_tokens,
                     .streams = streams,
                     .ubatch = layout.ubatch,
                     .kv = layout.kv,
                     .leads = false,
                     .hands_off = separate(layout)};
  for (const Stage& stage : layout.decode) {
    ContextShape decode = shape;
    if (separate(layout)) decode.ubatch = std::min<std::uint32_t>(layout.ubatch, 512);
    out[stage.node] += scene.memory(stage, decode);
  }
  for (const Stage& stage : layout.prefill) {
    ContextShape own = shape;
    own.leads = stage.leads;
    MemoryUse use = scene.memory(stage, own);
    if (layout.prefill_card) {
      use =
          memory_use(*layout.prefill_card,
                     std::span(layout.prefill_card->layers).subspan(stage.first, stage.count), own);
    }
    if (layout.family == Family::streamed) {
      // Whatever the buffers leave holds weights; the rest is read again for each pass.
      const double room = static_cast<double>(scene.spec().nodes[stage.node].usable_bytes) -
                          (use.total_bytes() - use.weights_bytes);
      use.weights_bytes = std::min(use.weights_bytes, std::max(0.0, room));
    }
    out[stage.node] += use;
  }
  return out;
}

bool fits(const Scene& scene, const Layout& layout, std::uint64_t context_tokens, std::uint32_t streams) {
  const std::vector<MemoryUse> use = memory_of(scene, layout, context_tokens, streams);
  for (std::size_t i = 0; i < use.size(); ++i) {
    if (use[i].total_bytes() > static_cast<double>(scene.spec().nodes[i].usable_bytes)) return false;
  }
  return true;
}

std::uint64_t max_context_of(const Scene& scene, const Layout& layout) {
  constexpr std::uint64_t tokens_unlimited = 1u << 24;
  const std::uint64_t most = scene.card().context_max ? scene.card().context_max : tokens_unlimited;
  return largest(most, [&](std::uint64_t tokens) { return fits(scene, layout, tokens, scene.workload().streams); });
}

std::uint32_t max_streams_of(const Scene& scene, const Layout& layout) {
  return static_cast<std::uint32_t>(largest(streams_max, [&](std::uint64_t streams) {
    return fits(scene, layout, scene.workload().context_tokens, static_cast<std::uint32_t>(streams));
  }));
}

std::optional<Timing> time_of(const Scene& scene, const Scene& prefill_scene, const Layout& layout,
                              double depth, double new_tokens) {
  const Workload& work = scene.workload();
  const double streams = work.streams;
  std::optional<Duration> prefill = prefill_time(scene, prefill_scene, layout, depth, new_tokens);
  if (!prefill) return std::nullopt;
  const double context = depth + new_tokens + static_cast<double>(work.output_tokens) / 2;
  std::optional<Duration> step = scene.decode_step(layout.decode, layout.kv, context, streams);
  if (!step) return std::nullopt;
  const double output = static_cast<double>(work.output_tokens);
  Timing out{.prefill = *prefill, .first = *prefill, .step = *step};
  if (separate(layout)) out.first.add(tail(scene, layout, new_tokens));
  const Duration alone_step =
      streams > 1 ? scene.decode_step(layout.decode, layout.kv, context, 1).value_or(*step) : *step;
  out.first.add(alone_step);
  // Several streams share one prefiller: on average half of the others are in front, weighted by
  // how busy it is. Where the same machines decode, the others' prefill also holds decoding up.
  const double decode_s = output * step->seconds();
  const double busy = std::min(1.0, streams * prefill->seconds() / (prefill->seconds() + decode_s));
  const double queue_s = (streams - 1) / 2 * prefill->seconds() * busy;
  if (queue_s > 0)
    out.first.add(
        {.name = "queue", .seconds = queue_s, .log_sd = prefill->log_sd(), .node = std::nullopt});
  const double held_up_s = separate(layout) ? 0 : (streams - 1) * prefill->seconds();
  if (held_up_s > 0) {
    out.step.add({.name = "prefill of other streams",
                  .seconds = held_up_s / output,
                  .log_sd = prefill->log_sd(),
                  .node = std::nullopt});
  }
  out.turn_s = out.first.seconds() + (output - 1) * out.step.seconds();
  return out;
}

Plan make_plan(const Scene& scene, const Scene& prefill_scene, const Layout& layout,
               bool with_curve) {
  const Workload& work = scene.workload();
  Plan plan;
  plan.family = layout.family;
  plan.kv = layout.kv;
  plan.ubatch = layout.ubatch;
  place(scene, layout, plan);
  if (layout.prefill_card) {
    for (Placement& p : plan.placements) {
      if (p.role == "prefill") p.variant = layout.prefill_card->variant;
    }
  }
  const std::vector<MemoryUse> memory = memory_of(scene, layout, work.context_tokens, work.streams);
  for (std::size_t i = 0; i < memory.size(); ++i) {
    if (memory[i].total_bytes() > 0)
      plan.memory.push_back({i, memory[i], scene.spec().nodes[i].usable_bytes});
  }
  plan.max_context = max_context_of(scene, layout);
  plan.max_streams = max_streams_of(scene, layout);
  const double depth = static_cast<double>(work.cached_tokens());
  const double new_tokens = static_cast<double>(work.new_tokens());
  const std::optional<Timing> timing = time_of(scene, prefill_scene, layout, depth, new_tokens);
  if (!timing) return plan;
  plan.ttft_s = interval(timing->first.seconds(), timing->first.log_sd());
  plan.prefill_tok_s =
      rate_interval(new_tokens / timing->prefill.seconds(), timing->prefill.log_sd());
  plan.decode_tok_s = rate_interval(1 / timing->step.seconds(), timing->step.log_sd());
  const double output = static_cast<double>(work.output_tokens);
  const double turn_log_sd = (timing->first.seconds() * timing->first.log_sd() +
                              (output - 1) * timing->step.seconds() * timing->step.log_sd()) /
                             timing->turn_s;
  plan.turn_s = interval(timing->turn_s, turn_log_sd);
  plan.bottleneck = {largest_part(timing->first), largest_part(timing->step)};
  plan.least_certain = least_certain(*timing, work);
  Duration sources;
  sources.add(timing->prefill);
  sources.add(timing->step);
  plan.calibrated_from = sources.calibrated_from;
  if (prefill_pool(layout).size() > 1) {
    plan.pipelined_prefill_tok_s = prefill_scene.pipelined_prefill_tok_s(
        prefill_pool(layout), depth, new_tokens, layout.ubatch);
  }
  if (with_curve) plan.curve = curve_of(scene, prefill_scene, layout, plan.max_context);
  return plan;
}

}  // namespace hearth::plan
