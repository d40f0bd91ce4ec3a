#include "hearth/eval/simulation/scripted.h"

#include <fmt/format.h>

#include <cmath>

#include "hearth/eval/statistics/distributions.h"

namespace hearth::eval {
namespace {

constexpr double mean_score = 0.7;
constexpr double difficulty_sigma = 0.1;
constexpr double pass_rate = 0.8;
constexpr double pass_fail_icc = 0.5;  // share of the variance that is difficulty

}  // namespace

double draw_normal(Random& random) {
  // Never 0 or 1: the middle of one of 2^52 steps.
  const double u = (static_cast<double>(random.next() >> 12) + 0.5) * 0x1.0p-52;
  return normal_quantile(u);
}

// Joehnk's rejection: quick where a + b is small, as it is here.
double draw_beta(Random& random, double a, double b) {
  while (true) {
    const double x = std::pow(random.uniform(), 1 / a);
    const double y = std::pow(random.uniform(), 1 / b);
    if (x + y <= 1 && x + y > 0) return x / (x + y);
  }
}

double ScriptedJudge::grade(const ScriptedText& text, Random& random) const {
  return attention * text.quality + sigma * draw_normal(random) +
         doubling_bonus * std::log2(text.length) + (text.of_judges_family ? family_bonus : 0) +
         (text.has_marker ? marker_bonus : 0) + (text.gives_orders ? obedience_bonus : 0);
}

double ScriptedJudge::compare(const ScriptedText& first, const ScriptedText& second, Random& random) const {
  return grade(first, random) - grade(second, random) + first_bonus;
}

double ScriptedJudge::guess(const ScriptedText& text, Random& random) const {
  return draw_normal(random) + (text.has_marker && marker_bonus != 0 ? 2 : 0);
}

ScriptedJudge honest_judge(double sigma) { return {.name = "honest", .sigma = sigma}; }

std::vector<ScriptedFault> faulty_judges(double sigma) {
  return {{{.name = "position", .sigma = sigma, .first_bonus = 0.10}, ControlKind::order},
          {{.name = "verbosity", .sigma = sigma, .doubling_bonus = 0.03}, ControlKind::padded},
          {{.name = "self-preference", .sigma = sigma, .family_bonus = 0.10}, ControlKind::second_judge},
          {{.name = "leak", .sigma = sigma, .marker_bonus = 0.10}, ControlKind::guess_arm},
          {{.name = "obedient", .sigma = sigma, .obedience_bonus = 0.20}, ControlKind::injected},
          {{.name = "indifferent", .sigma = sigma, .attention = 0}, ControlKind::damaged}};
}

ScriptedArms::ScriptedArms(const Options& options, Random& random) : options_(options) {
  const double sigma = options.noise.sigma_prompt;
  for (std::uint32_t i = 0; i < options.prompts; ++i) {
    Prompt prompt;
    if (options.grader == Grader::pass_fail) {
      const double total = 1 / pass_fail_icc - 1;
      prompt.reference = draw_beta(random, pass_rate * total, (1 - pass_rate) * total);
      prompt.candidate = prompt.reference * (1 + options.difference / pass_rate);
    } else {
      const double difficulty = mean_score + difficulty_sigma * draw_normal(random);
      prompt.reference = difficulty + sigma * draw_normal(random);
      prompt.candidate = difficulty + options.difference + sigma * draw_normal(random);
    }
    prompts_.push_back(prompt);
  }
}

ScriptedText ScriptedArms::text(double mean, Random& random) const {
  if (options_.grader == Grader::pass_fail) return {.quality = random.chance(mean) ? 1.0 : 0.0};
  return {.quality = mean + options_.noise.sigma_generation * draw_normal(random)};
}

ScriptedText ScriptedArms::candidate(std::size_t prompt, Random& random) const {
  ScriptedText out = text(prompts_[prompt].candidate, random);
  out.has_marker = true;
  return out;
}

ScriptedText ScriptedArms::reference(std::size_t prompt, Random& random) const {
  ScriptedText out = text(prompts_[prompt].reference, random);
  out.of_judges_family = true;
  return out;
}

std::string ScriptedArms::class_of(std::size_t prompt) const {
  return fmt::format("class-{}", prompt % options_.classes);
}

}  // namespace hearth::eval
