#include "hearth/plan/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hearth/plan/parts_worth.h"
#include "hearth/plan/search/scene.h"

namespace hearth::plan {
namespace {

Verdict judge(const Question& q, const Answer& a) {
  Verdict out;
  for (std::size_t i = 0; i < a.result.plans.size(); ++i) {
    const bool runs = std::ranges::any_of(a.engines[i], &EngineFit::can_run);
    if (runs && a.result.plans[i].turn_s) {
      out.plan = i;
      break;
    }
  }
  if (!out.plan) {
    if (a.result.plans.empty()) {
      const auto& why = a.result.rejected;
      // Other families may fit: they were not asked for.
      out.why = q.options.only ? fmt::format("no plan of the family {}", family_name(*q.options.only)) : "nothing fits";
      if (!why.empty()) out.why += ": " + why.front().reason;
    } else if (!a.result.plans.front().turn_s) {
      out.why =
          "it fits, but its speed is unknown: no measurement of a like model on these machines. "
          "Probe them (hearth node probe)";
    } else {
      out.why = "it fits, but no engine can run any of the plans";
    }
    return out;
  }
  const Plan& plan = a.result.plans[*out.plan];
  const Bar& bar = q.workload.bar;
  std::vector<std::string> failing;
  bool surely = true;
  if (bar.ttft_s_max) {
    if (plan.ttft_s->p50 > *bar.ttft_s_max) {
      failing.push_back(fmt::format("first token after {:.0f} s, the bar is {:.0f} s",
                                    plan.ttft_s->p50, *bar.ttft_s_max));
    }
    surely = surely && plan.ttft_s->high <= *bar.ttft_s_max;
  }
  if (bar.decode_tok_s_min) {
    if (plan.decode_tok_s->p50 < *bar.decode_tok_s_min) {
      failing.push_back(fmt::format("decodes {:.1f} tok/s, the bar is {:.0f}",
                                    plan.decode_tok_s->p50, *bar.decode_tok_s_min));
    }
    surely = surely && plan.decode_tok_s->low >= *bar.decode_tok_s_min;
  }
  out.go = failing.empty();
  const std::string which =
      fmt::format("{} ({})", family_name(plan.family), placement_text(q.cluster, plan));
  if (!bar.ttft_s_max && !bar.decode_tok_s_min) {
    out.why = fmt::format("{} fits; no bar is stated", which);
  } else if (out.go) {
    out.why = fmt::format("{} meets the bar{}", which,
                          surely ? ", also at the slow end of the prediction"
                                 : ", but not at the slow end of the prediction");
  } else {
    out.why = fmt::format("the best that an engine can run, {}: {}", which, failing[0]);
    for (std::size_t i = 1; i < failing.size(); ++i) out.why += "; " + failing[i];
  }
  if (*out.plan > 0 && a.result.plans[0].ttft_s) {
    const Plan& first = a.result.plans[0];
    out.why +=
        fmt::format(". Better on paper, but nothing runs it yet: {} (first token after {:.0f} s)",
                    family_name(first.family), first.ttft_s->p50);
  }
  return out;
}

std::string sensitivity(const Question& q, const Answer& a) {
  if (!a.verdict.plan) return "";
  const Plan& plan = a.result.plans[*a.verdict.plan];
  if (!plan.least_certain) return "";
  const LeastCertain& least = *plan.least_certain;
  const std::string what =
      fmt::format("{} of {} on {}", least.prefill ? "prefill rate" : "decode rate", q.card.name,
                  q.cluster.nodes[least.node].name);
  std::string out =
      fmt::format("Least certain: {}, known to a factor of {:.2f}.", what, std::exp(least.log_sd));
  for (const double sign : {1.0, -1.0}) {
    const SearchResult shifted =
        search(q.cluster, q.card, q.workload, *q.calibrations, without_curve(q.options),
               RateShift{least.node, least.prefill, sign * least.log_sd});
    const Plan* best = best_runnable(*q.catalog, q.cluster, q.card, shifted);
    if (!best) continue;
    const std::string same = placement_text(q.cluster, *best) == placement_text(q.cluster, plan)
                                 ? "the same plan stays best"
                                 : fmt::format("{} ({}) would be best", family_name(best->family),
                                               placement_text(q.cluster, *best));
    out += fmt::format(" If {} by that: a turn takes {:.0f} s instead of {:.0f} s, {}.",
                       sign > 0 ? "slower" : "faster", best->turn_s->p50, plan.turn_s->p50, same);
  }
  return out;
}

// Of the plans that were asked for, may one spread a model over machines?
bool may_pool(const Options& options) {
  return !options.only || (*options.only != Family::alone && *options.only != Family::split);
}

}  // namespace

Answer answer(Question question) {
  Answer out;
  out.result = search(question.cluster, question.card, question.workload, *question.calibrations,
                      question.options);
  for (const Plan& plan : out.result.plans) {
    out.engines.push_back(engines_for(*question.catalog, question.cluster, question.card, plan));
  }
  out.verdict = judge(question, out);
  out.marginal = marginal_worths(question, out.result);
  const Scene scene(question.cluster, question.card, question.workload, *question.calibrations,
                    question.options.kernels);
  if (question.cluster.nodes.size() > 1 && may_pool(question.options)) {
    out.pool_effects = pool_effects(scene, question.options.kv_type);
    out.decode_tok_s_by_memory = decode_rate_by_memory(scene, question.options.kv_type);
  }
  out.sensitivity = sensitivity(question, out);
  out.question = std::move(question);
  return out;
}

}  // namespace hearth::plan
