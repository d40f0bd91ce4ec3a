#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "hearth/plan/output/findings.h"
#include "hearth/plan/output/layout.h"
#include "hearth/plan/output/output.h"

namespace hearth::plan {
namespace {

constexpr std::size_t plans_shown_max = 8;
constexpr std::size_t bar_columns = 56;

// The first by name, ours before others, and how many more.
std::string engine_names(const std::vector<EngineFit>& fits) {
  std::size_t count = 0;
  std::string name;
  for (const EngineFit& fit : fits) {
    if (!fit.can_run()) continue;
    ++count;
    if (name.empty() || fit.engine == "hearth") name = fit.engine;
  }
  if (count == 0) return "nothing yet";
  return count == 1 ? name : fmt::format("{} + {}", name, count - 1);
}

std::string range_text(const Interval& interval) {
  return fmt::format("{} ({} to {})", seconds_text(interval.p50), seconds_text(interval.low),
                     seconds_text(interval.high));
}
std::string rate_range_text(const Interval& interval) {
  return fmt::format("{} ({} to {})", rate_text(interval.p50), rate_text(interval.low),
                     rate_text(interval.high));
}

std::string cluster_text(const ClusterSpec& spec) {
  std::string out = fmt::format("{:<12} {:<26} {:>12} {:>14} {:>14}\n", "machine", "hardware",
                                "usable", "memory", "storage");
  for (const Node& node : spec.nodes) {
    out += fmt::format(
        "{} {} {:>12} {:>9.0f} GB/s {:>14}\n", fit(node.name, 12),
        fit(node.hardware.empty() ? "by numbers" : node.hardware, 26),
        gb_text(static_cast<double>(node.usable_bytes)), node.bandwidth_gb_s,
        node.storage_read_gb_s ? fmt::format("{:.1f} GB/s", *node.storage_read_gb_s) : "not known");
  }
  std::string links;
  for (const Wire& wire : spec.wires) {
    links += fmt::format("{}{} – {} {:.1f} GB/s{}", links.empty() ? "Links: " : ", ",
                         spec.nodes[wire.a].name, spec.nodes[wire.b].name, wire.gb_s,
                         wire.assumed_gb_s ? " (assumed)" : "");
  }
  return out + (links.empty() ? "" : wrap(links, 7) + "\n");
}

std::string plans_table(const Answer& a) {
  std::string out =
      fmt::format("    {} {} {} {} {} {}\n", fit("plan", 13), fit("first token", 24),
                  fit("decode tok/s", 18), fit("turn", 8), fit("context", 8), fit("runs on", 16));
  const std::size_t shown = std::min(plans_shown_max, a.result.plans.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const Plan& plan = a.result.plans[i];
    out += fmt::format(" {:>2} {} {} {} {} {} {}\n", i + 1, fit(family_name(plan.family), 13),
                       fit(plan.ttft_s ? range_text(*plan.ttft_s) : "unknown", 24),
                       fit(plan.decode_tok_s ? rate_range_text(*plan.decode_tok_s) : "unknown", 18),
                       fit(plan.turn_s ? seconds_text(plan.turn_s->p50) : "unknown", 8),
                       fit(tokens_text(plan.max_context), 8), fit(engine_names(a.engines[i]), 16));
    out += wrap(fmt::format("    layers: {}; KV {}, ubatch {}; {} at once of {} tokens",
                            placement_text(a.question.cluster, plan), kv_type_name(plan.kv), plan.ubatch,
                            plan.max_streams, tokens_text(a.question.workload.context_tokens)),
                12) +
           "\n";
  }
  if (shown < a.result.plans.size())
    out += fmt::format("    … and {} more with --json\n", a.result.plans.size() - shown);
  return out;
}

// One turn of each plan to scale: until the first token, then the rest.
std::string turn_bars(const Answer& a) {
  double longest = 0;
  for (const Plan& plan : a.result.plans) {
    if (plan.turn_s) longest = std::max(longest, plan.turn_s->p50);
  }
  if (longest <= 0) return "";
  std::string out = "\nOne turn to scale (█ until the first token, ░ writing):\n";
  for (std::size_t i = 0; i < std::min(plans_shown_max, a.result.plans.size()); ++i) {
    const Plan& plan = a.result.plans[i];
    if (!plan.turn_s) continue;
    const auto all = static_cast<std::size_t>(plan.turn_s->p50 / longest * bar_columns + 0.5);
    const auto first = static_cast<std::size_t>(plan.ttft_s->p50 / longest * bar_columns + 0.5);
    std::string line;
    for (std::size_t c = 0; c < std::max<std::size_t>(1, all); ++c) line += c < first ? "█" : "░";
    out += fmt::format(" {:>2} {} {} {}\n", i + 1, fit(family_name(plan.family), 13), line,
                       seconds_text(plan.turn_s->p50));
  }
  return out;
}

std::string detail_of(const Answer& a, std::size_t index) {
  const Plan& plan = a.result.plans[index];
  std::string out = fmt::format("\nPlan {} in detail ({}: {}):\n", index + 1, family_name(plan.family),
                                family_title(plan.family));
  for (const NodeMemory& m : plan.memory) {
    const double share = m.use.total_bytes() / static_cast<double>(m.usable_bytes);
    out += fmt::format(
        "  memory {} {} {:>3.0f} % of {}: weights {:.0f}, KV {:.1f}, buffers {:.1f} GB\n",
        fit(a.question.cluster.nodes[m.node].name, 12), fit(bar(share, 20), 20), 100 * share,
        gb_text(static_cast<double>(m.usable_bytes)), m.use.weights_bytes / 1e9,
        m.use.kv_bytes / 1e9, (m.use.compute_bytes + m.use.staging_bytes) / 1e9);
  }
  out += wrap("  bottleneck: first token: " + plan.bottleneck.prefill +
                  "; writing: " + plan.bottleneck.decode,
              4) +
         "\n";
  std::string from;
  for (const std::string& id : plan.calibrated_from) from += (from.empty() ? "" : ", ") + id;
  out += wrap("  calibrated from: " + from, 4) + "\n";
  for (const std::string& assumption : plan.assumptions)
    out += wrap("  assumes: " + assumption, 4) + "\n";
  if (plan.break_even_tokens) {
    out += wrap(fmt::format(
                    "  pays from {:.0f} new tokens on; below, prefill where it decodes is quicker",
                    *plan.break_even_tokens),
                4) +
           "\n";
  }
  if (plan.pipelined_prefill_tok_s && plan.prefill_tok_s) {
    out += wrap(fmt::format("  prefill {} tok/s one pass at a time; at most {} if the machines "
                            "could overlap passes",
                            rate_text(plan.prefill_tok_s->p50),
                            rate_text(*plan.pipelined_prefill_tok_s)),
                4) +
           "\n";
  }
  out += "  engines (state of each: hearth catalog show engines):\n";
  for (const EngineFit& fit_of : a.engines[index]) {
    std::string why = fit_of.can_run()
                          ? fmt::format("could run it; {} known troubles listed with --json",
                                        fit_of.caveats.size())
                          : "";
    for (const std::string& b : fit_of.blocked_by) why += (why.empty() ? "" : "; ") + b;
    out += wrap(fmt::format("  {} {}", fit(fit_of.engine, 14), why), 17) + "\n";
  }
  return out;
}

std::string impossible_text(const Answer& a) {
  std::string out;
  if (!a.result.rejected.empty()) out += "\nImpossible here, with the number that rules it out:\n";
  for (const Rejected& r : a.result.rejected) {
    out += wrap(fmt::format("  {} {}", fit(family_name(r.family), 13), r.reason), 16) + "\n";
  }
  if (!a.result.dominated.empty()) out += "\nPossible, but nowhere best:\n";
  for (const Dominated& d : a.result.dominated) {
    out += wrap(fmt::format("  {} {} a turn; {} is better", fit(family_name(d.family), 13),
                            seconds_text(d.turn_s), d.by),
                16) +
           "\n";
  }
  return out;
}

std::string worth_text(const Answer& a) {
  std::string out;
  if (!a.pool_effects.empty())
    out += "\nOne model over several machines: what each does to decoding\n";
  for (const PoolEffect& e : a.pool_effects) {
    const std::string with = e.decode_tok_s_with ? precise_rate_text(*e.decode_tok_s_with) : "–";
    const std::string without =
        e.decode_tok_s_without ? precise_rate_text(*e.decode_tok_s_without) : "–";
    out +=
        wrap(fmt::format("  {} {} (with {}, without {} tok/s)",
                         fit(a.question.cluster.nodes[e.node].name, 13), e.verdict, with, without),
             16) +
        "\n";
  }
  if (a.decode_tok_s_by_memory) {
    out += fmt::format("  Layers by memory share over all machines would give {} tok/s.\n",
                       precise_rate_text(*a.decode_tok_s_by_memory));
  }
  if (!a.marginal.empty()) out += "\nWhat each part is worth (best plan that an engine can run):\n";
  for (const Marginal& m : a.marginal) {
    const std::string head = m.without.empty() ? "with " + m.with : "without " + m.without;
    out += wrap(fmt::format("  {}: {}", head, m.effect), 4) + "\n";
  }
  if (!a.sensitivity.empty()) out += "\n" + wrap(a.sensitivity, 0) + "\n";
  return out;
}

std::string heading(const Question& q) {
  const Workload& w = q.workload;
  std::string out = wrap(fmt::format("{} {}, {}", q.card.name, q.card.variant,
                                     gb_text(static_cast<double>(total_bytes(q.card)))),
                         0) +
                    "\n";
  out +=
      wrap(
          fmt::format(
              "Work: {}. Prompt {} tokens, {} of them new, {} written, {} stream{}, memory for {}.",
              w.title, w.prompt_tokens, w.new_tokens(), w.output_tokens, w.streams,
              w.streams == 1 ? "" : "s", tokens_text(w.context_tokens)),
          0) +
      "\n";
  if (!q.card.note.empty()) out += wrap("Note: " + q.card.note, 0) + "\n";
  return out;
}

std::string verdict_text(const Answer& a) {
  return wrap(fmt::format("{}: {}.", a.verdict.go ? "GO" : "NO GO", a.verdict.why), 0) + "\n";
}

std::string body(const Answer& a) {
  std::string out = heading(a.question) + "\n" + verdict_text(a);
  if (!a.result.plans.empty()) {
    out += "\n" + plans_table(a) + turn_bars(a);
    out += detail_of(a, a.verdict.plan.value_or(0));
  }
  return out + impossible_text(a) + worth_text(a);
}

}  // namespace

std::string answer_text(const Answer& a) {
  return trimmed_lines(cluster_text(a.question.cluster) + "\n" + body(a));
}

std::string answers_text(std::span<const Answer> answers) {
  if (answers.empty()) return "";
  if (answers.size() == 1) return answer_text(answers.front());
  std::string out = cluster_text(answers.front().question.cluster) + "\n";
  out +=
      fmt::format("{} {} {} {} {} {}\n", fit("model", 12), fit("work", 11), fit("verdict", 7),
                  fit("first token", 11), fit("tok/s", 5), "best that an engine can run: layers");
  for (const Answer& a : answers) {
    const Plan* plan = a.verdict.plan ? &a.result.plans[*a.verdict.plan] : nullptr;
    out += fmt::format("{} {} {} {} {} {}\n", fit(a.question.card.variant, 12),
                       fit(a.question.workload.name, 11), fit(a.verdict.go ? "go" : "no go", 7),
                       fit(plan ? seconds_text(plan->ttft_s->p50) : "–", 11),
                       fit(plan ? rate_text(plan->decode_tok_s->p50) : "–", 5),
                       plan ? fit(placement_text(a.question.cluster, *plan), 49) : "–");
  }
  for (const std::string& finding : findings(answers)) out += "\n" + wrap(finding, 0) + "\n";
  const std::string first = answers.front().question.workload.name;
  for (const Answer& a : answers) {
    if (a.question.workload.name != first) continue;
    out += "\n" + std::string(terminal_columns, '=') + "\n" + body(a);
  }
  return trimmed_lines(out);
}

}  // namespace hearth::plan
