#include "hearth/eval/simulation/simulate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hearth::eval {
namespace {

// As multiples of the margin: a tie, two thirds of it, the margin itself, well beyond.
constexpr double true_differences[] = {0, -2.0 / 3, -1, -5.0 / 3};
constexpr std::uint32_t runs_max = 1'000'000;
// A target counts as missed when the figure is off by more than this many standard errors that it
// would have at the target.
constexpr double chance_errors = 3;

std::uint64_t seed_of(std::uint64_t seed, std::uint64_t scenario, std::uint64_t run) {
  const std::uint64_t of_scenario = Random(Random(seed).next() + scenario).next();
  return Random(of_scenario + run).next();
}

ScriptedArms::Options arms_of(const SimulationOptions& options, double difference) {
  return {.prompts = options.study.prompts,
          .classes = options.study.classes,
          .noise = options.study.noise,
          .grader = options.grader,
          .difference = difference};
}

// Tells progress and hears of stops, over all runs of a simulation.
class Course {
 public:
  Course(double total, const StopToken& stop, const std::function<void(double)>& progress)
      : total_(total), stop_(stop), progress_(progress) {}
  bool step() {
    done_ += 1;
    if (progress_) progress_(done_ / total_);
    return !stop_.stop_requested();
  }

 private:
  double total_, done_ = 0;
  const StopToken& stop_;
  const std::function<void(double)>& progress_;
};

Result<DifferenceResult> run_difference(const SimulationOptions& options, const StudyPlan& study,
                                        std::size_t scenario, Course& course) {
  DifferenceResult out{.difference = true_differences[scenario] * options.study.margin};
  ComparisonPlan plan = *study.comparison;
  plan.resamples = options.resamples;
  const ScriptedArms::Options arms = arms_of(options, out.difference);
  const ScriptedJudge judge = honest_judge(options.study.noise.sigma_judge);
  for (std::uint32_t run = 0; run < options.runs; ++run) {
    const std::uint64_t seed = seed_of(options.seed, scenario, run);
    plan.seed = seed;
    const Comparison found = TRY(simulate_study(plan, arms, judge, seed));
    out.coverage += found.absolute.ci95.contains(out.difference) ? 1 : 0;
    out.passes += found.verdict == Verdict::non_inferior ? 1 : 0;
    out.inferior += found.verdict == Verdict::inferior ? 1 : 0;
    out.inconclusive += found.verdict == Verdict::inconclusive ? 1 : 0;
    out.generations += found.generations;
    if (!course.step()) return fail(Code::cancelled, "stopped");
  }
  for (double* sum : {&out.coverage, &out.passes, &out.inferior, &out.inconclusive, &out.generations}) {
    *sum /= options.runs;
  }
  for (const PowerPoint& point : study.points) {
    if (std::abs(point.difference - out.difference) < 1e-9) out.promised = point.passes;
  }
  return out;
}

Result<JudgeResult> run_judge(const SimulationOptions& options, std::uint32_t generations,
                              const ScriptedJudge& judge, std::string_view expected, std::size_t scenario,
                              Course& course) {
  JudgeResult out{.judge = judge.name, .expected = std::string(expected)};
  const ScriptedArms::Options arms = arms_of(options, 0);
  for (std::uint32_t run = 0; run < options.runs; ++run) {
    bool is_void = false;
    for (const Control& control :
         simulate_controls(arms, judge, generations, seed_of(options.seed, scenario, run))) {
      out.by_control[control.name] += control.passed ? 0 : 1;
      is_void = is_void || !control.passed;
    }
    out.voided += is_void ? 1 : 0;
    if (!course.step()) return fail(Code::cancelled, "stopped");
  }
  out.voided /= options.runs;
  for (auto& [name, share] : out.by_control) share /= options.runs;
  if (!out.expected.empty()) out.caught = out.by_control[out.expected];
  return out;
}

class Targets {
 public:
  explicit Targets(double runs) : runs_(runs) {}
  void between(const std::string& what, double share, double low, double high) {
    const auto chance = [&](double target) { return chance_errors * std::sqrt(target * (1 - target) / runs_); };
    if (share >= low - chance(low) && share <= high + chance(high)) return;
    missed_.push_back(fmt::format("{}: {:.1f} %, expected {:.1f} to {:.1f} %", what, 100 * share,
                                  100 * low, 100 * high));
  }
  std::vector<std::string> missed() && { return std::move(missed_); }

 private:
  double runs_;
  std::vector<std::string> missed_;
};

void sum_up(SimulationReport& report) {
  Targets targets(report.options.runs);
  double furthest = -1;
  for (const DifferenceResult& d : report.differences) {
    if (std::abs(d.coverage - 0.95) > furthest) {
      furthest = std::abs(d.coverage - 0.95);
      report.coverage = d.coverage;
    }
    targets.between(fmt::format("coverage at {:+.1f} points", 100 * d.difference), d.coverage, coverage_min, coverage_max);
  }
  report.power = report.differences[0].passes;
  report.promised_power = report.differences[0].promised;
  report.type1 = report.differences[2].passes;
  targets.between("passes at the margin", report.type1, 0, type1_max);
  targets.between("power at a tie", report.power, std::max(report.promised_power - power_off_max, 0.0),
                  std::min(report.promised_power + power_off_max, 1.0));
  for (const JudgeResult& j : report.judges) {
    if (j.expected.empty()) {
      targets.between("honest judge voided", j.voided, 0, false_void_max);
    } else {
      targets.between(fmt::format("{} judge caught by {}", j.judge, j.expected), j.caught, caught_min, 1);
    }
  }
  report.missed = std::move(targets).missed();
}

}  // namespace

Result<Comparison> simulate_study(const ComparisonPlan& plan, const ScriptedArms::Options& options,
                                  const ScriptedJudge& judge, std::uint64_t seed) {
  Random random(seed);
  const ScriptedArms arms(options, random);
  std::vector<PromptScores> prompts(arms.prompts());
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    prompts[i] = {.prompt = fmt::format("prompt-{:04}", i), .prompt_class = arms.class_of(i), .candidate = {}, .reference = {}};
  }
  // A pass/fail item is graded by its test, not by the judge.
  const auto grade = [&](const ScriptedText& text) {
    return options.grader == Grader::pass_fail ? text.quality : judge.grade(text, random);
  };
  std::size_t look = 0;
  while (true) {
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      while (static_cast<double>(prompts[i].candidate.size()) < plan.generations[look]) {
        prompts[i].candidate.push_back(grade(arms.candidate(i, random)));
        prompts[i].reference.push_back(grade(arms.reference(i, random)));
      }
    }
    Comparison found = TRY(compare({"candidate", "reference"}, plan, look, prompts));
    if (found.stops) return found;
    ++look;
  }
}

Result<SimulationReport> simulate(const SimulationOptions& options, const StopToken& stop,
                                  const std::function<void(double)>& progress) {
  if (options.runs == 0 || options.runs > runs_max) {
    return fail(Code::invalid_argument, fmt::format("{} runs; expected 1 to {}", options.runs, runs_max));
  }
  SimulationReport report{.options = options};
  const StudyPlan study = TRY(plan_study(options.study));
  const double sigma = options.study.noise.sigma_judge > 0 ? options.study.noise.sigma_judge : ScriptedJudge().sigma;
  const std::vector<ScriptedFault> faults = faulty_judges(sigma);
  const std::size_t differences = std::size(true_differences);
  Course course(static_cast<double>(options.runs) * static_cast<double>(differences + 1 + faults.size()), stop, progress);
  for (std::size_t i = 0; i < differences; ++i) {
    DifferenceResult result = TRY(run_difference(options, study, i, course));
    report.differences.push_back(result);
  }
  JudgeResult honest = TRY(run_judge(options, study.generations, honest_judge(sigma), "", differences, course));
  report.judges.push_back(std::move(honest));
  for (std::size_t i = 0; i < faults.size(); ++i) {
    JudgeResult result = TRY(run_judge(options, study.generations, faults[i].judge,
                                       control_name(faults[i].caught_by), differences + 1 + i, course));
    report.judges.push_back(std::move(result));
  }
  sum_up(report);
  return report;
}

Json simulation_json(const SimulationReport& report) {
  Json differences = Json::array(), judges = Json::array(), missed = Json::array();
  for (const DifferenceResult& d : report.differences) {
    differences.push(Json::object({{"difference", d.difference},
                                   {"coverage", d.coverage},
                                   {"passes", d.passes},
                                   {"promised", d.promised},
                                   {"inferior", d.inferior},
                                   {"inconclusive", d.inconclusive},
                                   {"generations", d.generations}}));
  }
  for (const JudgeResult& j : report.judges) {
    Json by = Json::object();
    for (const auto& [name, share] : j.by_control) by.set(name, share);
    judges.push(Json::object({{"judge", j.judge},
                              {"expected", j.expected.empty() ? Json() : Json(j.expected)},
                              {"voided", j.voided},
                              {"caught", j.expected.empty() ? Json() : Json(j.caught)},
                              {"by_control", std::move(by)}}));
  }
  for (const std::string& one : report.missed) missed.push(one);
  return Json::object({{"runs", report.options.runs},
                       {"seed", report.options.seed},
                       {"grader", report.options.grader == Grader::rubric ? "rubric" : "pass-fail"},
                       {"coverage", report.coverage},
                       {"type1", report.type1},
                       {"power", report.power},
                       {"promised_power", report.promised_power},
                       {"differences", std::move(differences)},
                       {"judges", std::move(judges)},
                       {"missed", std::move(missed)}});
}

}  // namespace hearth::eval
