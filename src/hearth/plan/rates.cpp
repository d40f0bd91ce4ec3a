#include "hearth/plan/rates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hearth/plan/own_runs.h"

namespace hearth::plan {
namespace {

constexpr double probe_log_sd = 0.15;        // a short matmul probe against a long prefill
constexpr double prior_decode_log_sd = 0.4;  // the bandwidth roof alone
constexpr double range_sd = 1.2816;          // a prior's low to high is an 80 % interval
constexpr double range_log_sd_min = 0.2;
constexpr double flop_per_tflop = 1e12;

std::vector<std::string> names_of(const Correction& correction) {
  std::vector<std::string> out;
  for (const Evidence& evidence : correction.evidence) out.push_back(evidence.id);
  return out;
}

// One factor for everything.
Rate even(double log_factor, double log_sd, std::vector<std::string> calibrated_from) {
  return {.log_factors = {log_factor, log_factor},
          .log_sd = log_sd,
          .calibrated_from = std::move(calibrated_from)};
}

std::optional<Rate> own_rate(const Node& node, const ModelCard& card, Phase phase,
                             std::string_view kernels) {
  const std::optional<OwnFactors> own = own_factors(node, card, phase, prefill_form(kernels));
  if (!own) return std::nullopt;
  return Rate{.log_factors = {std::log(own->base), std::log(own->context)},
              .log_sd = own->log_sd,
              .calibrated_from = own->ids,
              .by_depth = own->by_depth,
              .holds_pool_passes = own->hold_pool_passes};
}

std::optional<Rate> prefill_rate(const Node& node, const KernelKey& key, const Calibration& known) {
  if (node.probed_prefill_tflops) {
    return even(std::log(prior_flop_s / (*node.probed_prefill_tflops * flop_per_tflop)),
                probe_log_sd, {fmt::format("probe of {}", node.name)});
  }
  if (const std::optional<Correction> correction = known.correct(key)) {
    return even(correction->log_mean, correction->log_sd, names_of(*correction));
  }
  if (node.prior_low_tflops && node.prior_high_tflops) {
    const double low = std::log(*node.prior_low_tflops * flop_per_tflop);
    const double high = std::log(*node.prior_high_tflops * flop_per_tflop);
    return even(std::log(prior_flop_s) - (low + high) / 2,
                std::max(range_log_sd_min, (high - low) / 2 / range_sd),
                {fmt::format("prior of {}: {:.3g} to {:.3g} TFLOP/s", node.hardware,
                             *node.prior_low_tflops, *node.prior_high_tflops)});
  }
  return std::nullopt;
}

std::optional<Rate> decode_rate(const Node& node, const KernelKey& key, const Calibration& known) {
  if (const std::optional<Correction> correction = known.correct(key)) {
    return even(correction->log_mean, correction->log_sd, names_of(*correction));
  }
  if (node.bandwidth_gb_s > 0) {
    return even(0, prior_decode_log_sd,
                {fmt::format("bandwidth of {} ({:.0f} GB/s)", node.name, node.bandwidth_gb_s)});
  }
  return std::nullopt;
}

}  // namespace

LogFactors DepthStretch::at(double context_tokens) const {
  const double length = until_tokens - from_tokens;
  const double share = length > 0 ? std::clamp((context_tokens - from_tokens) / length, 0.0, 1.0) : 1;
  return {std::lerp(from.base, until.base, share), std::lerp(from.context, until.context, share)};
}

LogFactors Rate::at(double context_tokens) const {
  for (const DepthStretch& stretch : by_depth) {
    if (context_tokens <= stretch.until_tokens || &stretch == &by_depth.back()) return stretch.at(context_tokens);
  }
  return log_factors;
}

void Rate::shift(double log_shift) {
  const auto shifted = [&](LogFactors& factors) {
    factors.base += log_shift;
    factors.context += log_shift;
  };
  shifted(log_factors);
  for (DepthStretch& stretch : by_depth) {
    shifted(stretch.from);
    shifted(stretch.until);
  }
}

Calibrations calibrations_of(const Catalog& catalog) {
  return {.prefill = calibrate(usable_rows(catalog, Phase::prefill)),
          .decode = calibrate(usable_rows(catalog, Phase::decode))};
}

NodeRates rates_of(const Node& node, const ModelCard& card, const Calibrations& calibrations,
                   std::string_view kernels, double attention_share) {
  KernelKey key{.chip = node.chip,
                .backend = node.backend,
                .kernels = std::string(kernels),
                .generation = "",
                .architecture = card.architecture,
                .mixture = card.mixture(),
                .attention_share = attention_share};
  NodeRates out;
  out.overhead_per_layer_s = layer_overhead_s(node.backend).value_or(0);
  if (card.linear_flop_per_token > 0) {
    out.prefill = own_rate(node, card, Phase::prefill, kernels);
    if (!out.prefill) out.prefill = prefill_rate(node, key, calibrations.prefill);
  }
  key.attention_share = 0;
  out.decode = own_rate(node, card, Phase::decode, kernels);
  if (!out.decode) out.decode = decode_rate(node, key, calibrations.decode);
  return out;
}

}  // namespace hearth::plan
