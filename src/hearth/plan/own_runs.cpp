#include "hearth/plan/own_runs.h"

#include <algorithm>
#include <cmath>

namespace hearth::plan {
namespace {

constexpr double same_size_tolerance = 0.01;  // of the file's tensors: another quantisation is not
constexpr double log_sd_min = 0.05;           // between runs minutes apart on an idle machine
constexpr double one_run_log_sd = 0.2;        // nothing says how it goes on at other depths

bool speaks_for(const OwnRun& run, const ModelCard& card, Phase phase) {
  const double bytes = static_cast<double>(total_bytes(card));
  return run.phase == phase_name(phase) && run.architecture == card.architecture &&
         std::abs(static_cast<double>(run.weights_bytes) / bytes - 1) < same_size_tolerance;
}

TimedParts parts_of(const OwnRun& run, const Node& node, const ModelCard& card,
                    AttentionForm form) {
  const double overhead_s = layer_overhead_s(node.backend).value_or(0);
  const double depth = static_cast<double>(run.depth);
  const double tokens = static_cast<double>(run.tokens);
  if (run.phase == phase_name(Phase::prefill)) {
    const PrefillParts parts = prefill_prior(
        card, {.form = form, .depth = depth, .new_tokens = tokens, .ubatch = double(run.ubatch)},
        node.bandwidth_gb_s, overhead_s);
    return {parts.linear_s + parts.overhead_s, parts.attention_s, run.seconds};
  }
  const DecodeParts parts = decode_prior(card, AttentionForm::absorbed, KvType::f16,
                                         depth + tokens / 2, 1, node.bandwidth_gb_s, overhead_s);
  return {tokens * parts.base_s(), tokens * parts.context_s(), run.seconds};
}

// The one factor that halves the relative errors.
double common_factor(std::span<const TimedParts> runs) {
  double log_sum = 0;
  for (const TimedParts& run : runs)
    log_sum += std::log(run.measured_s / (run.base_s + run.context_s));
  return std::exp(log_sum / static_cast<double>(runs.size()));
}

double rms_log_residual(std::span<const TimedParts> runs, double base, double context) {
  double sum = 0;
  for (const TimedParts& run : runs) {
    const double log_ratio =
        std::log((base * run.base_s + context * run.context_s) / run.measured_s);
    sum += log_ratio * log_ratio;
  }
  return std::sqrt(sum / static_cast<double>(runs.size()));
}

}  // namespace

OwnFactors fit_factors(std::span<const TimedParts> runs) {
  // Normal equations of the sum of (base a + context b - 1)^2, a and b being shares of the measured
  // time.
  double aa = 0, ab = 0, bb = 0, a1 = 0, b1 = 0;
  for (const TimedParts& run : runs) {
    const double a = run.base_s / run.measured_s;
    const double b = run.context_s / run.measured_s;
    aa += a * a;
    ab += a * b;
    bb += b * b;
    a1 += a;
    b1 += b;
  }
  constexpr double told_apart = 1e-4;
  const double determinant = aa * bb - ab * ab;
  OwnFactors out;
  if (determinant > told_apart * aa * bb) {
    out.base = (a1 * bb - b1 * ab) / determinant;
    out.context = (b1 * aa - a1 * ab) / determinant;
  }
  out.parts_told_apart = determinant > told_apart * aa * bb && out.base > 0 && out.context > 0;
  if (!out.parts_told_apart) out.base = out.context = common_factor(runs);
  out.log_sd = std::max(out.parts_told_apart ? log_sd_min : one_run_log_sd,
                        rms_log_residual(runs, out.base, out.context));
  return out;
}

namespace {

LogFactors one_factor(const TimedParts& run) {
  const double log_factor = std::log(common_factor(std::span(&run, 1)));
  return {log_factor, log_factor};
}

// Exact at each depth. No two positive factors explain a pair where steps grow faster than the context (the KV outgrows a
// cache) or noise says that they shrink: one factor then, which changes on the way.
std::vector<DepthStretch> stretches(const std::vector<std::pair<double, TimedParts>>& by_context) {
  std::vector<DepthStretch> out;
  for (std::size_t i = 0; i + 1 < by_context.size(); ++i) {
    const TimedParts pair[] = {by_context[i].second, by_context[i + 1].second};
    DepthStretch stretch{.from_tokens = by_context[i].first, .until_tokens = by_context[i + 1].first};
    if (const OwnFactors found = fit_factors(pair); found.parts_told_apart) {
      stretch.from = stretch.until = {std::log(found.base), std::log(found.context)};
    } else {
      stretch.from = one_factor(pair[0]);
      stretch.until = one_factor(pair[1]);
    }
    out.push_back(stretch);
  }
  return out;
}

}  // namespace

std::optional<OwnFactors> own_factors(const Node& node, const ModelCard& card, Phase phase,
                                      AttentionForm form) {
  std::vector<TimedParts> timed;
  std::vector<std::pair<double, TimedParts>> by_context;
  std::vector<std::string> ids;
  bool all_lent = true;
  for (const OwnRun& run : node.runs) {
    if (!speaks_for(run, card, phase)) continue;
    all_lent = all_lent && run.lent;
    timed.push_back(parts_of(run, node, card, form));
    by_context.emplace_back(static_cast<double>(run.depth) + static_cast<double>(run.tokens) / 2,
                            timed.back());
    ids.push_back(run.id);
  }
  if (timed.empty()) return std::nullopt;
  OwnFactors out = fit_factors(timed);
  out.ids = std::move(ids);
  out.hold_pool_passes = all_lent;
  std::ranges::stable_sort(by_context, {}, &std::pair<double, TimedParts>::first);
  if (phase == Phase::decode && by_context.size() > 2) out.by_depth = stretches(by_context);
  return out;
}

}  // namespace hearth::plan
