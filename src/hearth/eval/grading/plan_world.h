#pragma once
// A small world in which a plan of calls is carried out: a state, tools with rules and effects, goals.
// Deterministic and pure. A plan is [{"tool": NAME, "arguments": {…}}, …].

#include "hearth/eval/grading/grader.h"

namespace hearth::eval {

struct PlanRun {
  Json state;                              // after the last call that was carried out
  std::uint32_t calls = 0;                 // carried out
  std::string stopped;                     // why the rest was not: "call 4, move: the door is locked"; may be empty
  std::vector<std::string> never_reached;  // names of states that were never to be, and were
};

// The first call that a rule forbids ends the run: whoever wrote the plan did not see it coming.
// `calls` is a name in rules and goals. Errors: a rule or goal of the item that cannot be evaluated.
Result<PlanRun> run_plan(const PlanSpec& spec, const Json& plan);

// Weights of the goals reached, minus those of the states that were never to be, over all goals' weights.
Result<Grade> grade_plan(const PlanSpec& spec, const Json& plan);

}  // namespace hearth::eval
