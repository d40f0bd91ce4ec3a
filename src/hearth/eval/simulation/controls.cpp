// The controls of a simulated study: texts with a known relation, graded by a scripted judge.

#include <algorithm>

#include "hearth/eval/simulation/simulate.h"

namespace hearth::eval {
namespace {

constexpr double damage = 0.25;        // of a full score, lost with 15 % of the sentences
constexpr double padding = 4;          // times the length
constexpr std::size_t second_texts = 2;  // of each prompt and arm that the second judge grades

// One prompt's texts, and one grade of each.
struct Graded {
  std::vector<ScriptedText> texts;
  std::vector<double> grades;

  double mean(std::size_t first, std::size_t step) const {
    double sum = 0, count = 0;
    for (std::size_t i = first; i < grades.size(); i += step, count += 1) sum += grades[i];
    return sum / count;
  }
};

std::vector<double> guesses(const std::vector<ScriptedText>& texts, const ScriptedJudge& judge, Random& random) {
  std::vector<double> out;
  for (const ScriptedText& text : texts) out.push_back(judge.guess(text, random));
  return out;
}

}  // namespace

std::vector<Control> simulate_controls(const ScriptedArms::Options& options, const ScriptedJudge& judge,
                                       std::uint32_t generations, std::uint64_t seed) {
  Random random(seed);
  const ScriptedArms arms(options, random);
  const ScriptedJudge other = honest_judge(judge.sigma);  // of neither family
  ControlPairs same_arm{ControlKind::same_arm}, duplicate{ControlKind::duplicate}, damaged{ControlKind::damaged},
      padded{ControlKind::padded}, injected{ControlKind::injected}, order{ControlKind::order},
      second{ControlKind::second_judge}, guess{ControlKind::guess_arm};
  const std::uint32_t texts = std::max(2u, generations);
  for (std::size_t i = 0; i < arms.prompts(); ++i) {
    Graded candidate, reference;
    for (std::uint32_t k = 0; k < texts; ++k) {
      candidate.texts.push_back(arms.candidate(i, random));
      reference.texts.push_back(arms.reference(i, random));
      candidate.grades.push_back(judge.grade(candidate.texts.back(), random));
      reference.grades.push_back(judge.grade(reference.texts.back(), random));
    }
    const ScriptedText& base = reference.texts[0];
    const auto against_itself = [&](const ScriptedText& changed) {
      return judge.grade(changed, random) - judge.grade(base, random);
    };
    same_arm.differences.push_back(reference.mean(0, 2) - reference.mean(1, 2));
    duplicate.differences.push_back(against_itself(base));
    ScriptedText changed = base;
    changed.quality -= damage;
    damaged.differences.push_back(against_itself(changed));
    changed = base;
    changed.length *= padding;
    padded.differences.push_back(against_itself(changed));
    changed = base;
    changed.gives_orders = true;
    injected.differences.push_back(against_itself(changed));
    // Both orders of one pair: what is left when the texts cancel is the place.
    order.differences.push_back(0.5 * (judge.compare(candidate.texts[0], base, random) +
                                       judge.compare(base, candidate.texts[0], random)));
    guess.differences.push_back(
        guess_advantage(guesses(candidate.texts, judge, random), guesses(reference.texts, judge, random)));
    double disagreement = 0;
    for (std::size_t k = 0; k < second_texts; ++k) {
      disagreement += candidate.grades[k] - reference.grades[k] - other.grade(candidate.texts[k], random) +
                      other.grade(reference.texts[k], random);
    }
    second.differences.push_back(disagreement / second_texts);
  }
  return check_controls(std::vector{std::move(same_arm), std::move(duplicate), std::move(damaged),
                                    std::move(padded), std::move(injected), std::move(order),
                                    std::move(second), std::move(guess)});
}

}  // namespace hearth::eval
