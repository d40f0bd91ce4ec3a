#include "hearth/cli/probe_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/cli/table.h"
#include "hearth/plan/cost/formulas.h"

namespace hearth::cli {
namespace {

constexpr double flop_per_tflop = 1e12;
constexpr double free_memory_share = 0.95;  // of what is free now: other programs grow too
constexpr std::string_view source = "hearth node probe";
// What a catalogue file may say of a link.
constexpr double link_gb_s_min = 0.001, link_gb_s_max = 500;
constexpr double round_trip_ms_min = 1e-3, round_trip_ms_max = 2e3;
constexpr double link_spread_max = 1e3;  // one lost packet of a fast link is more than that

double tflops(const ProbedModel& model, const node::ProbeRun& run) {
  const double tokens = run.point.tokens;
  const double flop =
      plan::linear_flop(model.card, tokens) +
      plan::attention_flop(model.card, plan::AttentionForm::absorbed, run.point.depth, tokens, tokens);
  return flop / run.seconds.median / flop_per_tflop;
}

std::string backend_name(std::string_view device) {
  for (const std::string_view backend : {"cuda", "vulkan", "metal"}) {
    std::string lower(device.substr(0, backend.size()));
    std::ranges::transform(lower, lower.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (lower == backend) return std::string(backend);
  }
  return "cpu";
}

// Small passes say what small passes cost; only whole ones speak for prompts.
bool speaks_for_prompts(const ProbedModel& model, const node::ProbeRun& run) {
  if (run.phase != "prefill") return true;
  return std::ranges::none_of(model.probe.runs, [&](const node::ProbeRun& other) {
    return other.phase == "prefill" && other.point.tokens > run.point.tokens;
  });
}

Json measured_json(const node::Measured& measured) {
  return Json::object({{"median", measured.median}, {"spread", measured.spread}});
}

Json link_json(const node::LinkProbe& link) {
  Json out = Json::object({{"machine", link.machine}, {"trouble", link.trouble}});
  if (!link.trouble.empty()) return out;
  out.set("there_gb_s", measured_json(link.there_gb_s));
  out.set("back_gb_s", measured_json(link.back_gb_s));
  out.set("round_trip_ms", measured_json(link.round_trip_ms));
  return out;
}

std::string with_spread(const node::Measured& measured, const char* unit) {
  return fmt::format("{:.3g} {} (± {:.0f} %)", measured.median, unit, 100 * measured.spread);
}

std::string links_text(const ProbedLinks& probed) {
  if (probed.links.empty()) return "";
  Table table({"link to", ">there", ">back", ">round trip", "trouble"});
  for (const node::LinkProbe& link : probed.links) {
    if (!link.trouble.empty()) {
      table.add({link.machine, "-", "-", "-", link.trouble});
    } else {
      table.add({link.machine, with_spread(link.there_gb_s, "GB/s"), with_spread(link.back_gb_s, "GB/s"),
                 with_spread(link.round_trip_ms, "ms"), ""});
    }
  }
  return "\n" + table.text();
}

}  // namespace

plan::Machine machine_of(const Probe& probe) {
  const plan::Origin origin{fmt::format("{}, {}", source, probe.date), plan::Confidence::own};
  plan::Machine out{.key = probe.facts.name, .chip = probe.facts.name, .name = probe.facts.name};
  out.backend = backend_name(probe.models.front().backend);
  out.memory_bytes = probe.facts.memory_bytes;
  if (probe.facts.available_bytes > 0) {
    out.planning_bytes = static_cast<std::uint64_t>(
        free_memory_share * static_cast<double>(probe.facts.available_bytes));
    out.planning_reason = "free when it was probed, less 5 %";
  }
  out.memory_bandwidth_gb_s = probe.bandwidth_gb_s.median;
  if (probe.storage_gb_s) out.storage_read_gb_s = probe.storage_gb_s->median;
  out.origin = origin;
  for (const ProbedModel& model : probe.models) {
    plan::PrefillPrior prior{.model_class = model.card.variant, .origin = origin};
    for (const node::ProbeRun& run : model.probe.runs) {
      if (run.phase != "prefill" || run.point.depth != 0) continue;
      const double reached = tflops(model, run);
      prior.low_tflops = prior.low_tflops > 0 ? std::min(prior.low_tflops, reached) : reached;
      prior.high_tflops = std::max(prior.high_tflops, reached);
    }
    out.prefill_priors.push_back(std::move(prior));
  }
  return out;
}

std::vector<plan::OwnRun> runs_of(const Probe& probe) {
  std::vector<plan::OwnRun> out;
  for (const ProbedModel& model : probe.models) {
    for (const node::ProbeRun& run : model.probe.runs) {
      if (!speaks_for_prompts(model, run)) continue;
      out.push_back({.id = fmt::format("{}-{}-{}-at-{}", probe.facts.name, model.card.variant, run.phase,
                                       run.point.depth),
                     .hardware = probe.facts.name,
                     .architecture = model.card.architecture,
                     .phase = run.phase,
                     .weights_bytes = plan::total_bytes(model.card),
                     .depth = run.point.depth,
                     .tokens = run.point.tokens,
                     .ubatch = node::WorkerOptions{}.ubatch_tokens,
                     .lent = probe.lent,
                     .seconds = run.seconds.median,
                     .spread = run.seconds.spread,
                     .date = probe.date,
                     .origin = {fmt::format("{}, {}", source, probe.date), plan::Confidence::own}});
    }
  }
  return out;
}

std::vector<plan::Link> links_of(const Probe& probe) {
  std::vector<plan::Link> out;
  for (const node::LinkProbe& link : probe.links.links) {
    if (!link.trouble.empty()) continue;
    const double there = std::clamp(link.there_gb_s.median, link_gb_s_min, link_gb_s_max);
    const double back = std::clamp(link.back_gb_s.median, link_gb_s_min, link_gb_s_max);
    const double round_trip_ms = std::clamp(link.round_trip_ms.median, round_trip_ms_min, round_trip_ms_max);
    const auto spread = [](const node::Measured& measured) { return std::min(measured.spread, link_spread_max); };
    out.push_back({.key = fmt::format("{}-{}", probe.links.machine, link.machine),
                   .name = fmt::format("{} – {}", probe.links.machine, link.machine),
                   .transport = "TCP",
                   .between = {probe.links.machine, link.machine},
                   .effective_gb_s = std::min(there, back),  // a plan may send either way
                   .effective_low_gb_s = std::min(there, back),
                   .effective_high_gb_s = std::max(there, back),
                   .latency_us = round_trip_ms * 1e3 / 2,
                   .probed = plan::ProbedLink{.there_gb_s = there,
                                              .there_spread = spread(link.there_gb_s),
                                              .back_gb_s = back,
                                              .back_spread = spread(link.back_gb_s),
                                              .round_trip_ms = round_trip_ms,
                                              .round_trip_spread = spread(link.round_trip_ms),
                                              .date = probe.date},
                   .origin = {fmt::format("{}, {}", source, probe.date), plan::Confidence::own}});
  }
  return out;
}

Json probe_json(const Probe& probe, const std::filesystem::path& path) {
  Json models = Json::array();
  for (const ProbedModel& model : probe.models) {
    Json runs = Json::array();
    for (const node::ProbeRun& run : model.probe.runs) {
      Json one = Json::object({{"phase", run.phase},
                               {"depth", run.point.depth},
                               {"tokens", run.point.tokens},
                               {"seconds", measured_json(run.seconds)},
                               {"tok_s", run.point.tokens / run.seconds.median}});
      if (run.phase == "prefill") one.set("tflops", tflops(model, run));
      runs.push(std::move(one));
    }
    models.push(Json::object({{"file", model.file},
                              {"name", model.card.variant},
                              {"runs", std::move(runs)},
                              {"hand_off_s", model.probe.handoff_s ? measured_json(*model.probe.handoff_s)
                                                                   : Json(nullptr)}}));
  }
  Json links = Json::array();
  for (const node::LinkProbe& link : probe.links.links) links.push(link_json(link));
  return Json::object(
      {{"machine", probe.facts.name},
       {"date", probe.date},
       {"file", path.string()},
       {"threads", probe.facts.threads},
       {"memory_bytes", probe.facts.memory_bytes},
       {"available_bytes", probe.facts.available_bytes},
       {"memory_bandwidth_gb_s", measured_json(probe.bandwidth_gb_s)},
       {"storage_read_gb_s",
        probe.storage_gb_s ? measured_json(*probe.storage_gb_s) : Json(nullptr)},
       {"models", std::move(models)},
       {"links", std::move(links)}});
}

std::string probe_text(const Probe& probe, const std::filesystem::path& path) {
  std::string out = fmt::format(
      "{}: {} of memory, {} free, {} threads\nmemory   {:.1f} GB/s (± {:.0f} %)\n",
      probe.facts.name, human_bytes(static_cast<double>(probe.facts.memory_bytes)),
      human_bytes(static_cast<double>(probe.facts.available_bytes)), probe.facts.threads,
      probe.bandwidth_gb_s.median, 100 * probe.bandwidth_gb_s.spread);
  out += probe.storage_gb_s ? fmt::format("storage  {:.2f} GB/s (± {:.0f} %)\n\n",
                                          probe.storage_gb_s->median, 100 * probe.storage_gb_s->spread)
                            : "storage  not measured: no reads past the page cache here\n\n";
  Table table({"model", "phase", ">at depth", ">tokens", ">tok/s", ">spread", ">TFLOP/s"});
  for (const ProbedModel& model : probe.models) {
    for (const node::ProbeRun& run : model.probe.runs) {
      table.add({model.card.variant, run.phase, std::to_string(run.point.depth),
                 std::to_string(run.point.tokens),
                 fmt::format("{:.1f}", run.point.tokens / run.seconds.median),
                 fmt::format("{:.0f} %", 100 * run.seconds.spread),
                 run.phase == "prefill" ? fmt::format("{:.3g}", tflops(model, run)) : ""});
    }
    if (model.probe.handoff_s) {
      table.add({model.card.variant, "hand-off", "", "",
                 fmt::format("{:.0f} ms", 1e3 * model.probe.handoff_s->median), "", ""});
    }
  }
  return out + table.text() + links_text(probe.links) +
         fmt::format("\nwritten to {}; `hearth plan` reads it\n", path.string());
}

}  // namespace hearth::cli
