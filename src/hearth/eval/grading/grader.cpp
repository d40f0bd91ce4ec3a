#include "hearth/eval/grading/grader.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/eval/grading/code_grader.h"
#include "hearth/eval/grading/extract.h"
#include "hearth/eval/grading/final_answer.h"
#include "hearth/eval/grading/plan_world.h"
#include "hearth/eval/grading/structured.h"

namespace hearth::eval {
namespace {

Grade nothing_found(std::string reason) {
  Grade out;
  out.reason = reason;
  out.parts.push_back({"answer", 1, 0, std::move(reason)});
  return out;
}

Grade grade_exact(const ExactSpec& spec, std::string_view answer) {
  const auto declared = declared_answer(answer);
  if (!declared) return nothing_found("no line that begins with 'Answer:'");
  const bool is_right = std::ranges::any_of(spec.accepted, [&](const std::string& one) { return normal_text(one) == normal_text(*declared); });
  if (!is_right) return nothing_found(fmt::format("'{}' is not it", *declared));
  Grade out;
  out.score = 1;
  out.parts.push_back({"answer", 1, 1, ""});
  return out;
}

struct Grading {
  std::string_view answer;
  const Sandbox* sandbox;
  const StopToken& stop;

  Result<Grade> operator()(const RubricSpec&) const { return fail(Code::unsupported, "a rubric is graded by a judge"); }
  Result<Grade> operator()(const CodeSpec& spec) const {
    if (sandbox == nullptr) return fail(Code::unavailable, "code is graded in a sandbox, and none was opened");
    return grade_code(spec, answer, *sandbox, stop);
  }
  Result<Grade> operator()(const ExactSpec& spec) const { return grade_exact(spec, answer); }
  Result<Grade> operator()(const FinalAnswerSpec& spec) const { return grade_final_answer(spec, answer); }
  Result<Grade> operator()(const StructuredSpec& spec) const {
    const auto given = declared_json(answer);
    return given ? grade_structured(spec, *given) : nothing_found("no JSON");
  }
  Result<Grade> operator()(const PlanSpec& spec) const {
    const auto given = declared_json(answer);
    if (!given) return nothing_found("no JSON");
    return grade_plan(spec, *given);
  }
};

}  // namespace

Result<Grade> grade_answer(const GraderSpec& spec, std::string_view answer, const Sandbox* sandbox, const StopToken& stop) {
  return std::visit(Grading{answer, sandbox, stop}, spec);
}

Result<Grade> grade_rubric(const RubricSpec& rubric, std::span<const CriterionVerdict> verdicts) {
  Grade out;
  double met = 0, all = 0;
  for (const RubricSpec::Criterion& criterion : rubric.criteria) {
    if (std::ranges::count(verdicts, criterion.id, &CriterionVerdict::id) != 1) {
      return fail(Code::invalid_argument, fmt::format("expected exactly one verdict on the criterion '{}'", criterion.id));
    }
    const CriterionVerdict& verdict = *std::ranges::find(verdicts, criterion.id, &CriterionVerdict::id);
    out.parts.push_back({criterion.id, criterion.weight, verdict.met ? 1.0 : 0.0, verdict.quote});
    met += verdict.met ? criterion.weight : 0;
    all += std::max(criterion.weight, 0.0);
  }
  if (verdicts.size() != rubric.criteria.size()) {
    return fail(Code::invalid_argument, fmt::format("{} verdicts on {} criteria", verdicts.size(), rubric.criteria.size()));
  }
  out.score = all > 0 ? std::clamp(met / all, 0.0, 1.0) : 0;
  return out;
}

Json grade_json(const Grade& grade) {
  Json parts = Json::array();
  for (const GradePart& part : grade.parts) {
    parts.push(Json::object({{"name", part.name}, {"weight", part.weight}, {"score", part.score}, {"reason", part.reason}}));
  }
  return Json::object({{"score", grade.score}, {"reason", grade.reason}, {"parts", std::move(parts)}});
}

}  // namespace hearth::eval
