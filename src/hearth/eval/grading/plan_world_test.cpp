#include "hearth/eval/grading/plan_world.h"

#include <gtest/gtest.h>

namespace hearth::eval {
namespace {

PlanSpec lamp_world() {
  PlanSpec out;
  out.state = *parse_json(R"({"door": "shut", "lamp": "off", "power": 2})");
  out.tools = {{.name = "open", .parameters = {}, .rules = {{"door == 'shut'", "it is open already"}}, .effects = {{"door", "'open'"}}},
               {.name = "switch", .parameters = {"to"}, .rules = {{"door == 'open'", "the door is shut"}, {"power >= 1", "no power"}}, .effects = {{"lamp", "to"}, {"power", "power - 1"}}}};
  out.goals = {{"lamp burns", "lamp == 'on'", 3}, {"few calls", "lamp == 'on' and calls <= 2", 1}};
  out.never = {{"no power left", "power == 0", 2}};
  return out;
}

Grade grade(const char* plan) { return *grade_plan(lamp_world(), *parse_json(plan)); }

TEST(PlanWorld, ReachesItsGoals) {
  const Grade good = grade(R"([{"tool": "open", "arguments": {}}, {"tool": "switch", "arguments": {"to": "on"}}])");
  EXPECT_DOUBLE_EQ(good.score, 1);
  EXPECT_EQ(good.reason, "");
  EXPECT_DOUBLE_EQ(grade("[]").score, 0);
}

TEST(PlanWorld, TheFirstCallThatARuleForbidsEndsThePlan) {
  const Grade shut = grade(R"([{"tool": "switch", "arguments": {"to": "on"}}, {"tool": "open", "arguments": {}}])");
  EXPECT_DOUBLE_EQ(shut.score, 0);
  EXPECT_EQ(shut.reason, "call 1, switch: the door is shut");
}

TEST(PlanWorld, WhatIsNeverToBeCosts) {
  const Grade dark = grade(R"([{"tool": "open", "arguments": {}}, {"tool": "switch", "arguments": {"to": "off"}}, {"tool": "switch", "arguments": {"to": "on"}}])");
  EXPECT_DOUBLE_EQ(dark.score, 0.25);
}

TEST(PlanWorld, CallsThatAreNoneSayWhy) {
  const std::pair<const char*, const char*> rows[] = {
      {R"({"a": 1})", "no list"},
      {R"([1])", "no 'tool'"},
      {R"([{"tool": "open"}])", "'arguments'"},
      {R"([{"tool": "fly", "arguments": {}}])", "no tool 'fly'"},
      {R"([{"tool": "switch", "arguments": {}}])", "'to' is missing"},
      {R"([{"tool": "open", "arguments": {"hard": true}}])", "no argument 'hard'"},
      {R"([{"tool": "open", "arguments": {}}, {"tool": "switch", "arguments": {"to": ["on"]}}])", "no plain value"},
  };
  for (const auto& [plan, reason] : rows) {
    const Grade found = grade(plan);
    EXPECT_EQ(found.score, 0) << plan;
    EXPECT_NE(found.reason.find(reason), std::string::npos) << found.reason;
  }
}

}  // namespace
}  // namespace hearth::eval
