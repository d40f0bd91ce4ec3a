#include "hearth/eval/grading/plan_world.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/eval/grading/expression.h"

namespace hearth::eval {
namespace {

// Reason why a call cannot be made; empty when it was.
Result<std::string> carry_out(const PlanSpec::Tool& tool, const Json& arguments, std::uint32_t calls, Json& state) {
  for (const std::string& name : tool.parameters) {
    if (arguments.find(name) == nullptr) return fmt::format("the argument '{}' is missing", name);
  }
  for (const auto& [name, value] : arguments.as_object()) {
    if (std::ranges::find(tool.parameters, name) == tool.parameters.end()) return fmt::format("there is no argument '{}'", name);
    if (!value.is_string() && !value.is_number() && !value.is_bool()) return fmt::format("the argument '{}' is no plain value", name);
  }
  Json names = arguments;
  names.set("calls", calls);
  const ExpressionScope scope{&names, &state};
  for (const PlanSpec::Rule& rule : tool.rules) {
    const auto allowed = holds(rule.condition, scope);
    // Arguments are the plan's: what they make impossible to evaluate is a call that cannot be made.
    if (!allowed) return allowed.error().message;
    if (!*allowed) return rule.reason;
  }
  for (const PlanSpec::Effect& effect : tool.effects) {
    Json value = TRY(evaluate(effect.value, scope));
    TRY(assign(effect.target, std::move(value), scope, state));
  }
  return std::string();
}

// Reason why `call` is none; the tool otherwise.
const PlanSpec::Tool* find_tool(const PlanSpec& spec, const Json& call, std::string& reason) {
  const Json* name = call.find("tool");
  const Json* arguments = call.find("arguments");
  if (name == nullptr || !name->is_string()) {
    reason = "no 'tool' is named";
  } else if (arguments == nullptr || !arguments->is_object()) {
    reason = "'arguments' is no object";
  } else if (const auto tool = std::ranges::find(spec.tools, name->as_string(), &PlanSpec::Tool::name); tool != spec.tools.end()) {
    return &*tool;
  } else {
    reason = fmt::format("there is no tool '{}'", name->as_string());
  }
  return nullptr;
}

Result<bool> holds_now(const std::string& condition, const PlanRun& run) {
  const Json names = Json::object({{"calls", run.calls}});
  return holds(condition, {&names, &run.state});
}

Result<> note_never(const PlanSpec& spec, PlanRun& run) {
  for (const PlanSpec::Goal& never : spec.never) {
    const bool is_reached = TRY(holds_now(never.condition, run));
    if (is_reached && std::ranges::find(run.never_reached, never.name) == run.never_reached.end()) run.never_reached.push_back(never.name);
  }
  return {};
}

}  // namespace

Result<PlanRun> run_plan(const PlanSpec& spec, const Json& plan) {
  PlanRun run{.state = spec.state};
  const Json* calls = plan.is_array() ? &plan : plan.find("plan");
  if (calls == nullptr || !calls->is_array()) {
    run.stopped = "the plan is no list of calls";
    return run;
  }
  for (const Json& call : calls->as_array()) {
    std::string reason;
    if (run.calls == spec.calls_max) reason = fmt::format("only {} calls are allowed", spec.calls_max);
    const PlanSpec::Tool* tool = reason.empty() ? find_tool(spec, call, reason) : nullptr;
    if (tool != nullptr) reason = TRY(carry_out(*tool, *call.find("arguments"), run.calls, run.state));
    if (!reason.empty()) {
      run.stopped = fmt::format("call {}{}{}: {}", run.calls + 1, tool != nullptr ? ", " : "", tool != nullptr ? tool->name : "", reason);
      return run;
    }
    ++run.calls;
    TRY(note_never(spec, run));
  }
  return run;
}

Result<Grade> grade_plan(const PlanSpec& spec, const Json& plan) {
  const PlanRun run = TRY(run_plan(spec, plan));
  Grade out;
  double reached = 0, all = 0;
  for (const PlanSpec::Goal& goal : spec.goals) {
    const bool is_reached = TRY(holds_now(goal.condition, run));
    out.parts.push_back({goal.name, goal.weight, is_reached ? 1.0 : 0.0, is_reached ? "" : "not reached"});
    all += goal.weight;
    reached += is_reached ? goal.weight : 0;
  }
  for (const PlanSpec::Goal& never : spec.never) {
    const bool was = std::ranges::find(run.never_reached, never.name) != run.never_reached.end();
    if (!was) continue;
    out.parts.push_back({never.name, -never.weight, 1, "was never to be"});
    reached -= never.weight;
  }
  out.score = all > 0 ? std::clamp(reached / all, 0.0, 1.0) : 0;
  out.reason = run.stopped;
  return out;
}

}  // namespace hearth::eval
