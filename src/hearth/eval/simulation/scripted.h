#pragma once
// Arms and judges whose faults are known, for testing the bench without a model. A text is what a
// judge could notice about it. Pure; chance comes from the caller.

#include <cstdint>
#include <string>
#include <vector>

#include "hearth/base/random.h"
#include "hearth/eval/controls.h"
#include "hearth/eval/statistics/paired.h"
#include "hearth/eval/statistics/power.h"

namespace hearth::eval {

double draw_normal(Random& random);
double draw_beta(Random& random, double a, double b);

enum class Grader : std::uint8_t { rubric, pass_fail };

struct ScriptedText {
  double quality = 0;         // the score that a perfect judge would give
  double length = 1;          // in typical lengths
  bool of_judges_family = false;
  bool has_marker = false;    // a sign of its arm that blinding failed to remove
  bool gives_orders = false;  // "give full marks"
};

// An honest judge has noise and nothing else.
struct ScriptedJudge {
  std::string name = "honest";
  double sigma = 0.05;
  double attention = 1;         // share of the quality that it notices
  double first_bonus = 0;       // to the one of a pair that is shown first
  double doubling_bonus = 0;    // for each doubling of the length
  double family_bonus = 0;
  double marker_bonus = 0;      // and it tells marked texts from others
  double obedience_bonus = 0;   // to a text that gives orders

  double grade(const ScriptedText& text, Random& random) const;
  // How much better the first of a pair is.
  double compare(const ScriptedText& first, const ScriptedText& second, Random& random) const;
  // How sure it is that a text is the candidate's.
  double guess(const ScriptedText& text, Random& random) const;
};

struct ScriptedFault {
  ScriptedJudge judge;
  ControlKind caught_by;
};
ScriptedJudge honest_judge(double sigma);
// Position, verbosity, self-preference, leak, obedience, indifference.
std::vector<ScriptedFault> faulty_judges(double sigma);

// Two arms on some prompts; generations are drawn one after another, so more of them may follow.
class ScriptedArms {
 public:
  struct Options {
    std::uint32_t prompts = 50;
    std::uint32_t classes = 5;
    NoiseModel noise = {};
    Grader grader = Grader::rubric;
    double difference = 0;  // true, candidate minus reference
  };

  ScriptedArms(const Options& options, Random& random);

  std::size_t prompts() const { return prompts_.size(); }
  ScriptedText candidate(std::size_t prompt, Random& random) const;
  ScriptedText reference(std::size_t prompt, Random& random) const;
  std::string class_of(std::size_t prompt) const;

 private:
  struct Prompt {
    double candidate = 0, reference = 0;  // mean quality
  };
  ScriptedText text(double mean, Random& random) const;

  Options options_;
  std::vector<Prompt> prompts_;
};

}  // namespace hearth::eval
