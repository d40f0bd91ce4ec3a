#include "hearth/eval/statistics/paired.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace hearth::eval {
namespace {

constexpr std::size_t single_pass_fail_prompts_min = 20;

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

Result<> check_scores(const PromptScores& prompt, std::span<const double> scores,
                      std::string_view arm) {
  if (scores.empty()) {
    return fail(Code::invalid_argument,
                fmt::format("prompt {}: the {} has no score; grade it, or leave the prompt out of "
                            "both arms with a recorded reason",
                            prompt.prompt, arm));
  }
  for (const double score : scores) {
    if (!std::isfinite(score)) {
      return fail(Code::invalid_argument,
                  fmt::format("prompt {}: a score of the {} is {}; expected a number from 0 to 1",
                              prompt.prompt, arm, score));
    }
  }
  return {};
}

Result<> weigh(PairedSample& sample, const std::map<std::string, double>& weights) {
  double total = 0;
  for (PromptClass& one : sample.classes) {
    if (!weights.empty()) {
      const auto found = weights.find(one.name);
      if (found == weights.end() || !(found->second > 0) || !std::isfinite(found->second)) {
        return fail(Code::invalid_argument,
                    fmt::format("class {}: expected a weight above 0; name one for every class, or "
                                "none at all",
                                one.name));
      }
      one.weight = found->second;
    }
    total += one.weight;
  }
  for (PromptClass& one : sample.classes) one.weight /= total;
  return {};
}

}  // namespace

Result<PairedSample> pair_scores(std::span<const PromptScores> prompts,
                                 const PairingOptions& options) {
  if (prompts.empty()) return fail(Code::invalid_argument, "no prompt has scores of both arms");
  std::vector<const PromptScores*> sorted;
  for (const PromptScores& prompt : prompts) sorted.push_back(&prompt);
  std::ranges::sort(sorted, {}, [](const PromptScores* p) { return std::tie(p->prompt_class, p->prompt); });

  std::set<std::string_view> seen;
  std::map<std::string_view, std::string_view> class_of_cluster;
  std::map<std::string_view, std::size_t> place;  // in the class that is being filled
  PairedSample sample;
  for (const PromptScores* prompt : sorted) {
    TRY(check_scores(*prompt, prompt->candidate, "candidate"));
    TRY(check_scores(*prompt, prompt->reference, "reference"));
    if (!seen.insert(prompt->prompt).second) {
      return fail(Code::invalid_argument, fmt::format("prompt {} occurs twice; each prompt counts once", prompt->prompt));
    }
    if (sample.classes.empty() || sample.classes.back().name != prompt->prompt_class) {
      sample.classes.push_back({.name = prompt->prompt_class, .weight = 1, .clusters = {}});
      place.clear();
    }
    std::vector<Cluster>& clusters = sample.classes.back().clusters;
    std::size_t index = clusters.size();
    if (!prompt->cluster.empty()) {
      const auto home = class_of_cluster.try_emplace(prompt->cluster, prompt->prompt_class).first;
      if (home->second != prompt->prompt_class) {
        return fail(Code::invalid_argument,
                    fmt::format("document {} has prompts in the classes {} and {}; expected one class",
                                prompt->cluster, home->second, prompt->prompt_class));
      }
      index = place.try_emplace(prompt->cluster, index).first->second;
    }
    if (index == clusters.size()) clusters.emplace_back();
    clusters[index].sum +=
        mean_of(prompt->candidate) - options.reference_factor * mean_of(prompt->reference);
    clusters[index].prompts += 1;
  }
  TRY(weigh(sample, options.class_weights));
  return sample;
}

PairedSample sample_of(std::span<const double> differences) {
  PromptClass all{.name = "all", .weight = 1, .clusters = {}};
  all.clusters.reserve(differences.size());
  for (const double difference : differences) all.clusters.push_back({difference, 1});
  return {.classes = {std::move(all)}};
}

std::string interval_refusal(std::span<const PromptScores> prompts) {
  const auto is_single_pass_fail = [](const PromptScores& prompt) {
    const auto single = [](const std::vector<double>& scores) {
      return scores.size() == 1 && (scores[0] == 0 || scores[0] == 1);
    };
    return single(prompt.candidate) && single(prompt.reference);
  };
  if (prompts.size() >= single_pass_fail_prompts_min ||
      !std::ranges::all_of(prompts, is_single_pass_fail)) {
    return {};
  }
  return fmt::format(
      "{} pass/fail prompts with one generation each cannot support an interval; "
      "generate more of each, or use at least {} prompts",
      prompts.size(), single_pass_fail_prompts_min);
}

}  // namespace hearth::eval
