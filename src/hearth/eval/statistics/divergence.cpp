#include "hearth/eval/statistics/divergence.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "hearth/base/check.h"
#include "hearth/eval/statistics/estimate.h"

namespace hearth::eval {
namespace {

struct Normaliser {
  std::size_t top = 0;
  double log_total = 0;  // log-probability = logit - log_total
};

Result<Normaliser> normalise(std::span<const float> logits, std::uint32_t target) {
  if (logits.size() < 2 || target >= logits.size()) {
    return fail(Code::invalid_argument,
                fmt::format("next token {} with {} logits: expected a token of the vocabulary", target,
                            logits.size()));
  }
  Normaliser out;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i]) || logits[i] == INFINITY) {
      return fail(Code::invalid_argument, fmt::format("logit {} is {}: the engine computed nonsense", i, logits[i]));
    }
    if (logits[i] > logits[out.top]) out.top = i;
  }
  const double high = logits[out.top];
  if (std::isinf(high)) return fail(Code::invalid_argument, "every logit is minus infinity");
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - high);
  out.log_total = high + std::log(sum);
  return out;
}

// The kept probabilities and the tail, made to add up to 1 again: a run against itself then differs
// by rounding alone, and never below 0.
struct Decoded {
  std::vector<double> top;
  double tail = 0;
};

Decoded decode(const TopDistribution& kept) {
  Decoded out;
  double total = kept.tail;
  for (const float log_probability : kept.log_probabilities) {
    out.top.push_back(std::exp(static_cast<double>(log_probability)));
    total += out.top.back();
  }
  for (double& p : out.top) p /= total;
  out.tail = kept.tail / total;
  return out;
}

// A token that the candidate holds impossible: as far as single precision reaches.
constexpr double probability_min = 1e-38;
double kl_term(double p, double q) { return p > 0 ? p * std::log(p / std::max(q, probability_min)) : 0; }

}  // namespace

Result<TopDistribution> keep_top(std::span<const float> logits, std::uint32_t target) {
  const Normaliser normal = TRY(normalise(logits, target));
  const std::size_t count = std::min(top_tokens, logits.size());
  std::vector<std::uint32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(count), [&](std::uint32_t a, std::uint32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  TopDistribution out;
  for (std::size_t i = 0; i < count; ++i) {
    out.ids.push_back(order[i]);
    out.log_probabilities.push_back(static_cast<float>(logits[order[i]] - normal.log_total));
  }
  double tail = 0;
  for (std::size_t i = count; i < order.size(); ++i) tail += std::exp(logits[order[i]] - normal.log_total);
  out.tail = static_cast<float>(tail);
  out.target_log_probability = static_cast<float>(logits[target] - normal.log_total);
  return out;
}

Result<PositionDivergence> diverge(const TopDistribution& reference, std::span<const float> logits,
                                   std::uint32_t target) {
  const Normaliser normal = TRY(normalise(logits, target));
  if (reference.ids.empty() || reference.ids.size() != reference.log_probabilities.size() ||
      std::ranges::any_of(reference.ids, [&](std::uint32_t id) { return id >= logits.size(); })) {
    return fail(Code::corrupt,
                fmt::format("a stored reference position does not fit a vocabulary of {} tokens; "
                            "reference and candidate must have the same tokenizer",
                            logits.size()));
  }
  const Decoded p = decode(reference);
  PositionDivergence out{.tail = p.tail};
  double candidate_top = 0;
  for (std::size_t i = 0; i < reference.ids.size(); ++i) {
    const double q = std::exp(logits[reference.ids[i]] - normal.log_total);
    out.kl += kl_term(p.top[i], q);
    candidate_top += q;
  }
  out.kl += kl_term(p.tail, 1 - candidate_top);
  out.kl = std::max(out.kl, 0.0);
  out.same_top = normal.top == reference.ids[0];
  out.reference_right = reference.ids[0] == target;
  out.candidate_right = normal.top == target;
  const double floor = std::log(probability_min);
  const double target_log = std::max(logits[target] - normal.log_total, floor);
  const double reference_log = std::max<double>(reference.target_log_probability, floor);
  out.target_change = std::exp(target_log) - std::exp(reference_log);
  out.log_likelihood_loss = reference_log - target_log;
  return out;
}

double percentile(std::span<const double> sorted, double share) {
  CHECK(!sorted.empty() && share >= 0 && share <= 1);
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  if (below + 1 >= sorted.size()) return sorted.back();
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[below + 1] - sorted[below]);
}

Result<DivergenceSummary> summarise(std::span<const std::vector<PositionDivergence>> transcripts) {
  DivergenceSummary out;
  std::vector<double> sorted;
  ClusterSums clusters;
  for (const std::vector<PositionDivergence>& transcript : transcripts) {
    if (transcript.empty()) continue;
    Cluster cluster;
    for (const PositionDivergence& position : transcript) {
      sorted.push_back(position.kl);
      cluster.sum += position.kl;
      cluster.prompts += 1;
      out.same_top += position.same_top ? 1 : 0;
      out.right_to_wrong += position.reference_right && !position.candidate_right ? 1 : 0;
      out.wrong_to_right += position.candidate_right && !position.reference_right ? 1 : 0;
      out.target_change_rms += position.target_change * position.target_change;
      out.log_perplexity_ratio += position.log_likelihood_loss;
      out.tail += position.tail;
    }
    clusters.add(cluster);
  }
  if (sorted.empty()) return fail(Code::invalid_argument, "no position was compared: the texts are empty");
  std::ranges::sort(sorted);
  const auto n = static_cast<double>(sorted.size());
  out.positions = sorted.size();
  out.mean = clusters.mean();
  out.mean_standard_error = clusters.clusters < 2 ? 0 : std::sqrt(clusters.variance_of_mean());
  out.median = percentile(sorted, 0.5);
  out.p95 = percentile(sorted, 0.95);
  out.p99 = percentile(sorted, 0.99);
  out.p999 = percentile(sorted, 0.999);
  out.max = sorted.back();
  out.same_top /= n;
  out.target_change_rms = std::sqrt(out.target_change_rms / n);
  out.log_perplexity_ratio /= n;
  out.tail /= n;
  return out;
}

}  // namespace hearth::eval
