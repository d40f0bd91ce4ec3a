#include "hearth/eval/grading/grader_spec.h"

namespace hearth::eval {
namespace {

Json texts_json(const std::vector<std::string>& texts) {
  Json out = Json::array();
  for (const std::string& text : texts) out.push(text);
  return out;
}

Json fields(const RubricSpec& spec) {
  Json criteria = Json::array();
  for (const RubricSpec::Criterion& one : spec.criteria) {
    criteria.push(Json::object({{"id", one.id}, {"text", one.text}, {"weight", one.weight}}));
  }
  return Json::object({{"criteria", std::move(criteria)}});
}

Json fields(const CodeSpec& spec) {
  Json files = Json::array();
  for (const NamedText& file : spec.files) files.push(Json::object({{"name", file.name}, {"text", file.text}}));
  Json cases = Json::array();
  for (const CodeSpec::Case& one : spec.cases) {
    cases.push(Json::object({{"name", one.name}, {"input", one.input}, {"expected", one.expected}, {"weight", one.weight}}));
  }
  return Json::object({{"function", spec.function},
                       {"probe", spec.probe},
                       {"check", spec.check},
                       {"files", std::move(files)},
                       {"cases", std::move(cases)},
                       {"tolerance", spec.tolerance},
                       {"case_seconds", spec.case_seconds}});
}

Json fields(const ExactSpec& spec) { return Json::object({{"accepted", texts_json(spec.accepted)}}); }

Json fields(const StructuredSpec& spec) {
  return Json::object({{"expected", spec.expected},
                       {"tolerance", spec.tolerance},
                       {"ordered", texts_json(spec.ordered)},
                       {"case_counts", texts_json(spec.case_counts)}});
}

Json fields(const FinalAnswerSpec& spec) {
  return Json::object({{"value", spec.value},
                       {"unit", spec.unit},
                       {"tolerance", spec.tolerance},
                       {"unit_required", spec.unit_required}});
}

Json goals_json(const std::vector<PlanSpec::Goal>& goals) {
  Json out = Json::array();
  for (const PlanSpec::Goal& goal : goals) {
    out.push(Json::object({{"name", goal.name}, {"condition", goal.condition}, {"weight", goal.weight}}));
  }
  return out;
}

Json fields(const PlanSpec& spec) {
  Json tools = Json::array();
  for (const PlanSpec::Tool& tool : spec.tools) {
    Json rules = Json::array(), effects = Json::array();
    for (const auto& rule : tool.rules) rules.push(Json::object({{"condition", rule.condition}, {"reason", rule.reason}}));
    for (const auto& effect : tool.effects) effects.push(Json::object({{"target", effect.target}, {"value", effect.value}}));
    tools.push(Json::object({{"name", tool.name},
                             {"parameters", texts_json(tool.parameters)},
                             {"rules", std::move(rules)},
                             {"effects", std::move(effects)}}));
  }
  return Json::object({{"state", spec.state},
                       {"tools", std::move(tools)},
                       {"goals", goals_json(spec.goals)},
                       {"never", goals_json(spec.never)},
                       {"calls_max", spec.calls_max}});
}

}  // namespace

std::string_view grader_kind(const GraderSpec& spec) {
  struct Name {
    std::string_view operator()(const RubricSpec&) const { return "rubric"; }
    std::string_view operator()(const CodeSpec&) const { return "code"; }
    std::string_view operator()(const ExactSpec&) const { return "exact"; }
    std::string_view operator()(const StructuredSpec&) const { return "structured"; }
    std::string_view operator()(const FinalAnswerSpec&) const { return "final"; }
    std::string_view operator()(const PlanSpec&) const { return "plan"; }
  };
  return std::visit(Name{}, spec);
}

bool needs_judge(const GraderSpec& spec) { return std::holds_alternative<RubricSpec>(spec); }

Json grader_json(const GraderSpec& spec) {
  Json out = std::visit([](const auto& one) { return fields(one); }, spec);
  out.set("kind", grader_kind(spec));
  return out;
}

}  // namespace hearth::eval
