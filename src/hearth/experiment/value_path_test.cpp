#include "hearth/experiment/value_path.h"

#include <gtest/gtest.h>

namespace hearth::experiment {
namespace {

const Json baseline = parse_json(R"({"ok":true,"name":"alone","none":null,
  "rows":[{"target":"a","ttft_ms":800,"ok":false},{"target":"b","ttft_ms":{"median":400},"mode":1}]})").value();

const Json* result(std::string_view step) { return step == "base-line" ? &baseline : nullptr; }

struct Case {
  std::string_view condition;
  std::optional<bool> holds;
  std::string_view why = {};
};

TEST(ValuePath, ConditionsHoldDoNotHoldOrAreUnknown) {
  const Case cases[] = {
      {"base-line.ok == true", true},
      {"base-line.ok != true", false, "base-line.ok is true, which is not != true"},
      {"base-line.rows[0].ttft_ms < 2000", true},
      {"base-line.rows[0].ttft_ms<=800", true},
      {"base-line.rows[0].ttft_ms > 800", false, "is 800, which is not > 800"},
      {"base-line.rows[target=b].ttft_ms.median >= 0.5 * base-line.rows[target=a].ttft_ms", true, ""},
      {"base-line.rows[mode=1].target == \"b\"", true},
      {"base-line.rows[target=b,mode=1].target == \"b\"", true},
      {"base-line.rows[target=a,mode=1].target == \"b\"", std::nullopt, "not known"},
      {"base-line.rows[ok=false].target == \"a\"", true},
      {"base-line.name == \"other\"", false},
      {"1 == 1", true},
      {"base-line.rows[7].ttft_ms < 1", std::nullopt, "base-line.rows[7].ttft_ms is not known"},
      {"base-line.rows[target=z].ttft_ms < 1", std::nullopt, "not known"},
      {"base-line.none == 0", std::nullopt, "not known"},
      {"other.x == 1", std::nullopt, "other.x is not known"},
      {"base-line.name < 3", std::nullopt, "cannot be compared"},
      {"base-line.name < \"b\"", std::nullopt, "cannot be compared"},
      {"2 * base-line.name == 3", std::nullopt, "is not a number"},
      {"base-line.rows.x == 1", std::nullopt, "not known"},
      {"base-line.name[0] == 1", std::nullopt, "not known"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.condition);
    const auto condition = Condition::parse(c.condition);
    ASSERT_TRUE(condition) << condition.error().message;
    const Judgement judgement = judge(*condition, result);
    EXPECT_EQ(judgement.holds, c.holds) << judgement.why;
    EXPECT_NE(judgement.why.find(c.why), std::string::npos) << judgement.why;
  }
}

TEST(ValuePath, WhatIsNoConditionIsRefusedWithAnExample) {
  for (const std::string_view text :
       {"", "plan", "== 1", "plan.x ==", "plan..x == 1", "plan.x[ == 1", "plan.x[a] == 1", "plan.x[a=] == 1", "plan.x[=b] == 1", "plan.x[a=1,b] == 1", "plan.x[a=1,,b=2] == 1",
        "plan x == 1", "x * plan.y < 1", "plan.x[a b=1] < 2", "plan.x[99999999999999999999] == 1"}) {
    SCOPED_TRACE(text);
    const auto condition = Condition::parse(text);
    ASSERT_FALSE(condition);
    EXPECT_EQ(condition.error().code, Code::invalid_argument);
    EXPECT_NE(condition.error().message.find("for example"), std::string::npos);
  }
  EXPECT_FALSE(Condition::parse(std::string(condition_bytes_max + 1, 'a')));
}

TEST(ValuePath, KnowsTheStepsThatAConditionNames) {
  EXPECT_EQ(steps_of(*Condition::parse("a.x < 2 * b.y")), (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace hearth::experiment
