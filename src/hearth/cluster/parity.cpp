#include "hearth/cluster/parity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace hearth::cluster {
namespace {

std::vector<double> log_probabilities(std::span<const float> logits) {
  const double top = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float value : logits) sum += std::exp(value - top);
  const double norm = top + std::log(sum);
  std::vector<double> out;
  out.reserve(logits.size());
  for (const float value : logits) out.push_back(value - norm);
  return out;
}

bool is_finite(std::span<const float> logits) {
  return std::ranges::all_of(logits, [](float value) { return std::isfinite(value); });
}

}  // namespace

Result<Parity> compare_logits(std::span<const float> ours, std::span<const float> theirs) {
  if (ours.empty() || ours.size() != theirs.size() || !is_finite(ours) || !is_finite(theirs)) {
    return fail(Code::invalid_argument,
                fmt::format("{} logits here and {} there: expected as many, all of them finite",
                            ours.size(), theirs.size()));
  }
  Parity out{.is_exact = std::ranges::equal(ours, theirs)};
  out.top_equal = std::ranges::max_element(ours) - ours.begin() ==
                  std::ranges::max_element(theirs) - theirs.begin();
  const auto p = log_probabilities(ours);
  const auto q = log_probabilities(theirs);
  for (std::size_t i = 0; i < p.size(); ++i) {
    out.kl += std::exp(p[i]) * (p[i] - q[i]);
    out.distance_max = std::max(out.distance_max, std::abs(double{ours[i]} - double{theirs[i]}));
  }
  out.kl = std::max(out.kl, 0.0);  // rounding
  return out;
}

void compare_tokens(std::span<const Token> ours, std::span<const Token> theirs, Parity& into) {
  into.tokens_compared = static_cast<std::uint32_t>(std::min(ours.size(), theirs.size()));
  into.tokens_equal = static_cast<std::uint32_t>(std::ranges::mismatch(ours, theirs).in1 - ours.begin());
}

std::string parity_fault(const Parity& parity, const ParityLimits& limits) {
  if (limits.needs_exact && !parity.is_exact) {
    return fmt::format("the logits differ by up to {:.2g}; equal backends give equal ones",
                       parity.distance_max);
  }
  if (limits.needs_equal_top && !parity.top_equal) return "the most likely token is another one";
  if (parity.kl > limits.kl_max) {
    return fmt::format("KL divergence {:.3g}; at most {:.3g} is allowed", parity.kl, limits.kl_max);
  }
  const std::uint32_t least =
      limits.needs_exact ? parity.tokens_compared : std::min(limits.tokens_equal_min, parity.tokens_compared);
  if (parity.tokens_equal < least) {
    return fmt::format("the first {} of {} tokens of the continuation are equal; at least {} are expected",
                       parity.tokens_equal, parity.tokens_compared, least);
  }
  return {};
}

Json parity_json(const Parity& parity) {
  return Json::object({{"exact", parity.is_exact},
                       {"top_equal", parity.top_equal},
                       {"kl", parity.kl},
                       {"logit_distance_max", parity.distance_max},
                       {"tokens_equal", parity.tokens_equal},
                       {"tokens_compared", parity.tokens_compared}});
}

}  // namespace hearth::cluster
