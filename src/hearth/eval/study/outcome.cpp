#include "hearth/eval/study/outcome.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "hearth/eval/study/registration.h"

namespace hearth::eval {
namespace {

constexpr double seconds_per_hour = 3'600;

std::vector<ArmCosts> arm_costs(const ArmsFile& file, const StudyRecords& records) {
  std::vector<ArmCosts> out;
  for (const Arm& arm : file.arms) out.push_back({.arm = arm.name});
  for (const store::GenerationRecord& one : records.generations) {
    const auto found = std::ranges::find(out, one.arm, &ArmCosts::arm);
    if (found == out.end()) continue;
    ++found->generations;
    found->empty += one.fault == "empty" ? 1u : 0u;
    found->loops += one.fault == "loop" ? 1u : 0u;
    found->cut += one.fault == "cut" ? 1u : 0u;
    found->retried += one.tries > 1 ? 1u : 0u;
    found->answer_tokens += one.answer_tokens;
    found->hours += one.total_s / seconds_per_hour;
    found->usd += one.cost_usd;
    if (!one.engine_build.empty()) found->engine_build = one.engine_build;
  }
  return out;
}

void add_scores(std::vector<ArmCosts>& out, const ArmsFile& file, const Scores& scores, const Standing& standing) {
  if (standing.comparisons.empty()) return;  // nobody looks between the looks
  const auto generations = static_cast<std::uint32_t>(standing.comparisons.front().generations);
  for (ArmCosts& arm : out) {
    for (const Item* item : scores.items_of(*file.find(arm.arm))) {
      for (std::uint32_t k = 0; k < generations; ++k) {
        const ScoredAnswer* answer = scores.find(item->id, arm.arm, k);
        if (!answer || !answer->score) continue;
        ++arm.scored;
        arm.score += *answer->score;
      }
    }
    if (arm.scored > 0) arm.score /= static_cast<double>(arm.scored);
  }
}

std::vector<JudgeCosts> judge_costs(const ArmsFile& file, const StudyRecords& records) {
  std::vector<JudgeCosts> out;
  for (const auto* judge : {&file.judge, &file.second_judge}) {
    if (!*judge) continue;
    JudgeCosts costs{.judge = (*judge)->is_person ? "person" : (*judge)->endpoint.name};
    for (const store::GradeRecord& one : records.grades) {
      if (one.judge != (*judge)->id()) continue;
      ++costs.grades;
      costs.from_cache += one.from_cache ? 1 : 0;
      costs.failed += one.graded ? 0 : 1;
      costs.quotes_missing += one.quotes_missing > 0 ? 1 : 0;
      costs.usd += one.cost_usd;
      costs.hours += one.from_cache ? 0 : one.seconds / seconds_per_hour;
    }
    out.push_back(std::move(costs));
  }
  return out;
}

std::vector<std::string> left_out(const Suite& suite, const ArmsFile& file) {
  std::vector<std::string> out;
  for (const Item& item : suite.items) {
    std::set<std::string> reasons;
    for (const Arm& arm : file.arms) {
      if (std::string reason = exclusion(item, arm, file); !reason.empty()) reasons.insert(std::move(reason));
    }
    if (!reasons.empty()) out.push_back(fmt::format("{}: {}", item.id, fmt::join(reasons, "; ")));
  }
  return out;
}

std::string latest_of(const StudyRecords& records, const std::string& arm,
                      std::string store::GenerationRecord::*field) {
  for (auto one = records.generations.rbegin(); one != records.generations.rend(); ++one) {
    if (one->arm == arm && !((*one).*field).empty()) return (*one).*field;
  }
  return "";
}

const ClassGuard* guard_of(const Comparison& comparison, const std::string& task_class) {
  const auto found = std::ranges::find(comparison.guards, task_class, &ClassGuard::prompt_class);
  return found == comparison.guards.end() ? nullptr : &*found;
}

bool is_good(Verdict verdict) {
  return verdict == Verdict::non_inferior || verdict == Verdict::equivalent_by_divergence;
}

// The walk over the comparisons has come to its end. Where prompts ended it before the last arm and
// divergence passed that arm all the same, nothing more is wanted and the later arms stay unknown.
bool is_settled(const std::vector<Comparison>& comparisons, const Standing& standing) {
  for (const Comparison& one : comparisons) {
    if (one.verdict == Verdict::open) return false;
    if (!is_good(one.verdict)) return true;
  }
  return comparisons.size() == standing.comparisons_planned || standing.decided();
}

}  // namespace

Result<StudyOutcome> study_outcome(const Suite& suite, const ArmsFile& file, const StudyRecords& records,
                                   const DivergenceEvidence& divergence) {
  if (!divergence.empty() && !file.settings.divergence_decides) {
    return fail(Code::invalid_argument,
                "the KL gate was not registered as a way to decide: [study] divergence_decides = true, before the "
                "first generation");
  }
  StudyOutcome out;
  out.ignored = divergence.ignored;
  const ComparisonPlan plan = TRY(study_comparison_plan(suite, file));
  const Scores scores = TRY(Scores::make(suite, file, records));
  out.standing = TRY(study_standing(plan, file, scores));
  if (out.standing.comparisons.empty()) {
    out.decision.sentence =
        fmt::format("Nothing can be said yet: the first look is at {} generations of each prompt and arm.",
                    plan.generations.front());
  } else {
    out.decision = decide(out.standing.comparisons, scores.controls(), divergence.gates);
  }
  // Generations still wanted, and nothing void: the pick is not final, whatever it would be now.
  out.is_final = out.decision.is_void || is_settled(out.decision.comparisons, out.standing);
  if (const std::size_t texts = scores.waits_for_person(); texts > 0 && !out.decision.is_void) {
    out.is_final = false;
    out.decision.sentence =
        fmt::format("{} texts wait for the second judge, a person: hearth eval grade. Until then: {}", texts,
                    out.decision.sentence);
  }
  if (!out.is_final) out.decision.pick.reset();
  if (!file.are_copies() && !out.standing.comparisons.empty()) {
    const Comparison& last = out.standing.comparisons.back();
    out.claims =
        TRY(claim_classes(scores.paired(last.candidate, last.reference, static_cast<std::uint32_t>(last.generations)),
                          {.margin = plan.margin, .margin_is_relative = plan.margin_is_relative,
                           .alpha = last.decisive().nominal_p}));
  }
  out.noise = scores.noise();
  out.agreement = scores.agreement();
  out.arms = arm_costs(file, records);
  add_scores(out.arms, file, scores, out.standing);
  out.judges = judge_costs(file, records);
  out.left_out = left_out(suite, file);
  if (const std::optional<Json> before = TRY(registered(records.events))) {
    out.registration = registration_digest(*before).hex();
    out.deviations = deviations(*before, registration_json(suite, file));
  }
  return out;
}

Json outcome_json(const StudyOutcome& o) {
  Json out = decision_json(o.decision);
  out.set("final", o.is_final);
  out.set("next_generations", o.standing.next_generations ? Json(*o.standing.next_generations) : Json());
  Json arms = Json::array(), judges = Json::array(), changed = Json::array(), missing = Json::array(),
       claims = Json::array();
  for (const ArmCosts& a : o.arms) {
    arms.push(Json::object({{"arm", a.arm},
                            {"generations", a.generations},
                            {"scored", a.scored},
                            {"score", a.scored > 0 ? Json(a.score) : Json()},
                            {"empty", a.empty},
                            {"loops", a.loops},
                            {"cut", a.cut},
                            {"retried", a.retried},
                            {"answer_tokens", a.answer_tokens},
                            {"hours", a.hours},
                            {"usd", a.usd}}));
  }
  for (const JudgeCosts& j : o.judges) {
    judges.push(Json::object({{"judge", j.judge},
                              {"grades", j.grades},
                              {"from_cache", j.from_cache},
                              {"failed", j.failed},
                              {"quotes_missing", j.quotes_missing},
                              {"usd", j.usd},
                              {"hours", j.hours}}));
  }
  for (const std::string& one : o.deviations) changed.push(one);
  for (const std::string& one : o.left_out) missing.push(one);
  for (const ClassClaim& one : o.claims) {
    claims.push(Json::object(
        {{"class", one.prompt_class}, {"p", one.p}, {"adjusted_p", one.adjusted_p}, {"holds", one.holds}}));
  }
  out.set("arms", std::move(arms));
  out.set("judges", std::move(judges));
  out.set("judge_noise",
          o.noise.texts > 0
              ? Json::object({{"sigma", o.noise.sigma}, {"flip_rate", o.noise.flip_rate}, {"texts", o.noise.texts}})
              : Json());
  out.set("agreement", o.agreement ? Json::object({{"texts", o.agreement->texts},
                                                   {"criteria", o.agreement->criteria},
                                                   {"same", o.agreement->same},
                                                   {"kappa", o.agreement->kappa},
                                                   {"correlation", o.agreement->correlation}})
                                   : Json());
  out.set("claims", std::move(claims));
  out.set("registration", o.registration);
  out.set("deviations", std::move(changed));
  out.set("left_out", std::move(missing));
  Json ignored = Json::array();
  for (const std::string& one : o.ignored) ignored.push(one);
  out.set("ignored", std::move(ignored));
  return out;
}

std::vector<store::ClassVerdict> class_verdicts(const Suite& suite, const ArmsFile& file, const StudyRecords& records,
                                                const StudyOutcome& outcome, std::int64_t now_s) {
  std::vector<store::ClassVerdict> out;
  if (!outcome.is_final || outcome.decision.is_void) return out;
  std::set<std::string> classes;
  for (const Item& item : suite.items) classes.insert(std::string(class_name(item.task_class)));
  const auto add = [&](const Arm& arm, const std::string& task_class, const Comparison* comparison,
                       bool all_before_good) {
    store::ClassVerdict v{.task_class = task_class,
                          .arm = arm.name,
                          .model = arm.endpoint.model,
                          .quantisation = arm.quantisation,
                          .margin = file.settings.margin};
    v.basis = {.model_digest = latest_of(records, arm.name, &store::GenerationRecord::model_digest),
               .engine_build = latest_of(records, arm.name, &store::GenerationRecord::engine_build),
               .topology = arm.topology,
               .suite_version = suite.digest.hex()};
    v.study = outcome.registration;
    v.decided_s = now_s;
    if (!comparison) {
      v.verdict = "reference";
      v.good_enough = true;
      out.push_back(std::move(v));
      return;
    }
    const ClassGuard* guard = guard_of(*comparison, task_class);
    if (!guard) return;
    v.reference = comparison->reference;
    v.verdict = verdict_name(comparison->verdict);
    v.difference = guard->estimate.difference;
    v.low = guard->ci95.low;
    v.high = guard->ci95.high;
    v.good_enough = all_before_good && is_good(comparison->verdict) && guard->holds;
    const auto claim = std::ranges::find(outcome.claims, task_class, &ClassClaim::prompt_class);
    const bool is_last = comparison == &outcome.decision.comparisons.back();
    // Between different models each class is a claim of its own.
    if (is_last && claim != outcome.claims.end()) {
      v.good_enough = all_before_good && claim->holds;
      v.verdict = claim->holds ? "non-inferior" : "inconclusive";
    }
    out.push_back(std::move(v));
  };
  for (const std::string& task_class : classes) {
    add(file.arms.front(), task_class, nullptr, true);
    bool good = true;
    for (const Comparison& comparison : outcome.decision.comparisons) {
      add(*file.find(comparison.candidate), task_class, &comparison, good);
      const ClassGuard* guard = guard_of(comparison, task_class);
      good = good && is_good(comparison.verdict) && guard && guard->holds;
    }
  }
  return out;
}

}  // namespace hearth::eval
