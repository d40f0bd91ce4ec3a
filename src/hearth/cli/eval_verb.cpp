// hearth eval plan|simulate: what a study of quality can decide, before it is run.

#include <fmt/format.h>

#include <cstdio>

#include "hearth/cli/eval_study.h"
#include "hearth/cli/progress.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"
#include "hearth/eval/simulation/simulate.h"

namespace hearth::cli {
namespace {

// In points (hundredths of a full score) and per cent, as people say them.
struct EvalFlags {
  double margin = 3;
  double power = 80;
  double alpha = 5;
  std::uint32_t prompts = 50;
  std::uint32_t classes = 5;
  std::uint32_t generations = 0;
  std::string pair = "near";
  double sigma_prompt = unset, sigma_generation = unset, sigma_judge = unset;
  std::uint32_t judge_repeats = 1;
  bool pass_fail = false;
  double pass_rate = 80, within_share = 50;
  std::string spending = "obrien-fleming";
  bool no_futility = false, one_look = false;
  std::uint32_t arms = 2;
  double answer_tokens = 5'000, tokens_per_second = 10, load_hours = 0;
  double graded_share = 100, control_share = 50;
  double judge_input_tokens = 5'000, judge_output_tokens = 800, input_price = 0, output_price = 0;
  std::uint32_t runs = 1'000;
  std::uint64_t seed = 1;
  bool json = false;

  static constexpr double unset = -1;
};

void declare_study(EvalFlags& own, Flags& flags) {
  flags.number("--margin", own.margin, "points that the candidate may be worse");
  flags.count("--prompts", own.prompts, "prompts of the suite");
  flags.count("--classes", own.classes, "classes that they lie in");
  flags.count("--generations", own.generations, "generations of each prompt and arm (0: plan: the fewest that do; simulate: 8)");
  flags.choice("--pair", own.pair, {"near", "rough", "other"},
               "noise by how unlike the arms are: near copies (Q4, Q8), rough (Q2, Q8), other models");
  flags.number("--sigma-prompt", own.sigma_prompt, "points by which the arms' difference varies from prompt to prompt (-1: by --pair)");
  flags.number("--sigma-generation", own.sigma_generation, "points by which generations of a prompt vary (-1: by --pair)");
  flags.number("--sigma-judge", own.sigma_judge, "points by which repeated grades of a text vary (-1: by --pair)");
  flags.count("--judge-repeats", own.judge_repeats, "grades of each text");
  flags.toggle("--pass-fail", own.pass_fail, "items that pass or fail, instead of rubrics; no judge");
  flags.number("--power", own.power, "per cent of studies in which a true tie must pass");
  flags.number("--alpha", own.alpha, "per cent of studies in which an arm that is worse by the margin may pass");
  flags.choice("--spending", own.spending, {"obrien-fleming", "pocock"}, "how alpha is spent over the looks");
  flags.toggle("--no-futility", own.no_futility, "go on to the last look even when a pass is out of reach");
  flags.toggle("--one-look", own.one_look, "look once, when all generations are there");
  flags.toggle("--json", own.json, "one JSON document");
}

void declare_plan(EvalFlags& own, Flags& flags) {
  declare_study(own, flags);
  flags.number("--pass-rate", own.pass_rate, "with --pass-fail: per cent that pass");
  flags.number("--within-share", own.within_share, "with --pass-fail: per cent of the variance that is sampling, not difficulty");
  flags.count("--arms", own.arms, "arms that generate");
  flags.number("--answer-tokens", own.answer_tokens, "tokens of an answer, thinking included");
  flags.number("--tokens-per-second", own.tokens_per_second, "decode rate of an arm");
  flags.number("--load-hours", own.load_hours, "hours to load an arm, at every look");
  flags.number("--graded-share", own.graded_share, "per cent of the answers that go to a judge");
  flags.number("--control-share", own.control_share, "further gradings for controls, per cent of those");
  flags.number("--judge-input-tokens", own.judge_input_tokens, "tokens that a grading reads");
  flags.number("--judge-output-tokens", own.judge_output_tokens, "tokens that a grading writes");
  flags.number("--input-price", own.input_price, "of a million tokens read by the judge, in any currency");
  flags.number("--output-price", own.output_price, "of a million tokens written by the judge");
}

void declare_simulate(EvalFlags& own, Flags& flags) {
  declare_study(own, flags);
  flags.count("--runs", own.runs, "studies of each true difference and of each judge");
  flags.big_count("--seed", own.seed, "the same seed gives the same report");
}

eval::NoiseModel noise_of(const EvalFlags& own) {
  eval::NoiseModel out = own.pair == "near"    ? eval::near_copies()
                         : own.pair == "rough" ? eval::rough_copies()
                                               : eval::other_models();
  if (own.pass_fail) out = eval::pass_fail(own.pass_rate / 100, own.within_share / 100);
  const auto set = [](double& sigma, double points) {
    if (points != EvalFlags::unset) sigma = points / 100;
  };
  set(out.sigma_prompt, own.sigma_prompt);
  set(out.sigma_generation, own.sigma_generation);
  set(out.sigma_judge, own.sigma_judge);
  out.judge_repeats = own.judge_repeats;
  return out;
}

eval::StudyRequest request_of(const EvalFlags& own) {
  eval::StudyRequest out{.margin = own.margin / 100,
                         .power = own.power / 100,
                         .prompts = own.prompts,
                         .classes = own.classes,
                         .noise = noise_of(own),
                         .one_look = own.one_look,
                         .arms = own.arms,
                         .answer_tokens = own.answer_tokens,
                         .tokens_per_second = own.tokens_per_second,
                         .load_hours = own.load_hours,
                         .graded_share = own.pass_fail ? 0 : own.graded_share / 100,
                         .control_share = own.control_share / 100,
                         .judge_input_tokens = own.judge_input_tokens,
                         .judge_output_tokens = own.judge_output_tokens,
                         .input_price = own.input_price,
                         .output_price = own.output_price};
  out.options = {.alpha = own.alpha / 100,
                 .spending = own.spending == "pocock" ? eval::Spending::pocock : eval::Spending::obrien_fleming,
                 .futility = !own.no_futility};
  if (own.generations > 0) out.generations = own.generations;
  return out;
}

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }
std::string points(double share) { return fmt::format("{:+.1f}", 100 * share); }

std::string plan_text(const eval::StudyPlan& plan) {
  std::string out = plan.sentence + "\n\nIf all is generated before anyone looks:\n";
  Table rows({">generations", ">standard error", ">resolves", ">tie passes", ">prompts needed"});
  for (const eval::GenerationsRow& row : plan.rows) {
    rows.add({std::to_string(row.generations), fmt::format("{:.2f}", 100 * row.standard_error),
              fmt::format("{:.1f} points", 100 * row.resolvable_margin), percent(row.power),
              std::to_string(row.prompts_needed)});
  }
  out += rows.text() + "\nLooks of the planned study; it passes at the first look whose p is reached:\n";
  Table looks({">generations", ">information", ">p to pass"});
  for (std::size_t i = 0; i < plan.comparison->generations.size(); ++i) {
    const eval::Look& look = plan.comparison->design.looks()[i];
    looks.add({fmt::format("{:.0f}", plan.comparison->generations[i]), percent(look.fraction),
               fmt::format("{:.5f}", look.nominal_p)});
  }
  out += looks.text() + "\nWhat it would say, by how much worse the candidate truly is:\n";
  Table truth({">true difference", ">passes", ">generations, mean"});
  for (const eval::PowerPoint& point : plan.points) {
    truth.add({points(point.difference) + " points", percent(point.passes), fmt::format("{:.1f}", point.generations)});
  }
  out += truth.text();
  out += fmt::format("\n{:.0f} hours of generation at most, {:.0f} expected at a tie; {:.0f} gradings, {:.2f} to pay at most, {:.2f} expected.\n",
                     plan.hours, plan.hours_expected, plan.gradings, plan.money, plan.money_expected);
  return out;
}

int run_plan(const EvalFlags& own) {
  const auto plan = eval::plan_study(request_of(own));
  if (!plan) return report(plan.error());
  if (own.json) {
    std::puts(dump_json(eval::study_plan_json(*plan), 2).c_str());
  } else {
    std::fputs(plan_text(*plan).c_str(), stdout);
  }
  return plan->is_reachable ? exit_done : exit_no;
}

std::string simulation_text(const eval::SimulationReport& found) {
  std::string out = fmt::format("{} studies of each kind, seed {}\n\n", found.options.runs, found.options.seed);
  Table differences({">true difference", ">95 % interval holds it", ">passes", ">promised", ">inferior", ">inconclusive", ">generations"});
  for (const eval::DifferenceResult& d : found.differences) {
    differences.add({points(d.difference) + " points", percent(d.coverage), percent(d.passes), percent(d.promised),
                     percent(d.inferior), percent(d.inconclusive), fmt::format("{:.1f}", d.generations)});
  }
  out += differences.text() + "\n";
  Table judges({"judge", ">voided", "must be caught by", ">caught by it"});
  for (const eval::JudgeResult& j : found.judges) {
    judges.add({j.judge, percent(j.voided), j.expected.empty() ? "-" : j.expected,
                j.expected.empty() ? "-" : percent(j.caught)});
  }
  out += judges.text() + "\n";
  if (found.missed.empty()) return out + "Every target is met.\n";
  for (const std::string& one : found.missed) out += "Missed: " + one + "\n";
  return out;
}

int run_simulate(const EvalFlags& own, const StopToken& stop) {
  Progress progress;
  eval::SimulationOptions options{.runs = own.runs, .seed = own.seed, .study = request_of(own)};
  if (!options.study.generations) options.study.generations = eval::SimulationOptions().study.generations;
  options.grader = own.pass_fail ? eval::Grader::pass_fail : eval::Grader::rubric;
  const auto found = eval::simulate(options, stop, [&](double share) { progress.update("simulating studies", share); });
  progress.clear();
  if (!found) return report(found.error());
  if (own.json) {
    std::puts(dump_json(eval::simulation_json(*found), 2).c_str());
  } else {
    std::fputs(simulation_text(*found).c_str(), stdout);
  }
  return found->missed.empty() ? exit_done : exit_no;
}

}  // namespace

Verb eval_verb(StopToken stop) {
  const auto own = std::make_shared<EvalFlags>();  // shared by the children
  return {.name = "eval",
          .summary = "is the smaller model good enough: plan a study, run it, grade blind, decide",
          .example = "hearth eval plan --margin 3 --prompts 50",
          .children = {{.name = "plan",
                        .summary = "how many generations a margin needs, and what they cost; exit 1 if no number does",
                        .example = "hearth eval plan --margin 3 --prompts 50 --arms 3 --input-price 5 --output-price 25",
                        .declare = [own](Flags& flags) { declare_plan(*own, flags); },
                        .run = [own] { return run_plan(*own); }},
                       {.name = "simulate",
                        .summary = "whole studies with scripted arms and judges; exit 1 if the statistics miss a target",
                        .example = "hearth eval simulate --runs 1000 --seed 1",
                        .declare = [own](Flags& flags) { declare_simulate(*own, flags); },
                        .run = [own, stop] { return run_simulate(*own, stop); }},
                       eval_kl_verb(stop),
                       eval_chain_verb(stop),
                       eval_voice_verb(),
                       eval_run_verb(stop),
                       eval_grade_verb(stop),
                       eval_decide_verb(),
                       eval_report_verb(),
                       eval_lint_verb(stop),
                       eval_ls_verb(),
                       eval_show_verb()}};
}

}  // namespace hearth::cli
