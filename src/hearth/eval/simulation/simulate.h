#pragma once
// The bench tried on itself: whole studies with scripted arms and judges, where the truth is known.
// How often does the 95 % interval hold it, how often does a truly worse arm pass, how often does a
// tie, against what was promised; and which control catches which judge. Seeded and pure: the same
// options give the same report.

#include <functional>
#include <map>

#include "hearth/base/stop.h"
#include "hearth/eval/simulation/scripted.h"
#include "hearth/eval/study_plan.h"

namespace hearth::eval {

struct SimulationOptions {
  std::uint32_t runs = 1'000;  // of each true difference and each judge
  std::uint64_t seed = 1;
  StudyRequest study = {.generations = 8};
  Grader grader = Grader::rubric;
  std::uint32_t resamples = bootstrap_resamples;
};

// Studies with one true difference.
struct DifferenceResult {
  double difference = 0;
  double coverage = 0;      // share of 95 % intervals that hold the truth
  double passes = 0;        // share with the verdict non-inferior
  double promised = 0;      // what the plan said of it
  double inferior = 0;
  double inconclusive = 0;
  double generations = 0;   // mean
};

struct JudgeResult {
  std::string judge;
  std::string expected;     // the control that must catch it; empty: an honest judge
  double voided = 0;        // share of studies that any control voided
  double caught = 0;        // share that the expected control voided
  std::map<std::string, double> by_control = {};
};

struct SimulationReport {
  SimulationOptions options;
  std::vector<DifferenceResult> differences;
  std::vector<JudgeResult> judges;
  double coverage = 0;        // of the true difference where it is furthest from 95 %
  double type1 = 0;           // passes at a true difference of minus the margin
  double power = 0;           // passes at a tie
  double promised_power = 0;
  std::vector<std::string> missed;  // targets missed by more than chance explains; empty: all met
};

// What the report must show.
inline constexpr double coverage_min = 0.93, coverage_max = 0.97;
inline constexpr double type1_max = 0.05;
inline constexpr double power_off_max = 0.03;
inline constexpr double caught_min = 0.95;
inline constexpr double false_void_max = 0.05;

// One study from the first look to the verdict.
Result<Comparison> simulate_study(const ComparisonPlan& plan, const ScriptedArms::Options& arms,
                                  const ScriptedJudge& judge, std::uint64_t seed);

// The controls of one study, graded by the judge.
std::vector<Control> simulate_controls(const ScriptedArms::Options& arms, const ScriptedJudge& judge,
                                       std::uint32_t generations, std::uint64_t seed);

// `progress` hears the share done. cancelled when stopped.
Result<SimulationReport> simulate(const SimulationOptions& options, const StopToken& stop,
                                  const std::function<void(double)>& progress);

Json simulation_json(const SimulationReport& report);

}  // namespace hearth::eval
