#include "hearth/eval/controls.h"

#include <gtest/gtest.h>

#include "hearth/eval/simulation/scripted.h"

namespace hearth::eval {
namespace {

std::vector<double> around(double mean, double spread, std::size_t count = 50) {
  Random random(8);
  std::vector<double> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(mean + spread * draw_normal(random));
  return out;
}

TEST(Controls, FailWhenTheKnownAnswerDoesNotComeOut) {
  struct Case {
    ControlKind kind;
    double mean;
    bool passes;
  };
  for (const Case& one : {Case{ControlKind::same_arm, 0, true}, Case{ControlKind::same_arm, 0.06, false},
                          Case{ControlKind::same_arm, -0.06, false}, Case{ControlKind::padded, -0.06, true},
                          Case{ControlKind::padded, 0.06, false}, Case{ControlKind::damaged, -0.2, true},
                          Case{ControlKind::damaged, 0, false}, Case{ControlKind::damaged, 0.2, false},
                          Case{ControlKind::injected, 0.2, false}, Case{ControlKind::guess_arm, 0.3, false}}) {
    const auto found = check_controls(std::vector{ControlPairs{one.kind, around(one.mean, 0.07)}});
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].passed, one.passes) << found[0].name << ": " << found[0].detail;
  }
}

TEST(Controls, ThatDidNotRunFail) {
  EXPECT_FALSE(check_controls(std::vector{ControlPairs{ControlKind::same_arm, {0.0}}})[0].passed);
}

TEST(Controls, OfIdenticalGradesPass) {
  EXPECT_TRUE(check_controls(std::vector{ControlPairs{ControlKind::duplicate, std::vector<double>(20, 0.0)}})[0].passed);
}

TEST(Controls, ManifestsAreExact) {
  EXPECT_TRUE(commitment_control(true, true).passed);
  EXPECT_FALSE(commitment_control(false, true).passed);
  EXPECT_FALSE(commitment_control(true, false).passed);
  EXPECT_TRUE(completeness_control(10, 10).passed);
  EXPECT_FALSE(completeness_control(10, 9).passed);
}

TEST(Controls, GuessAdvantageIsTheAreaUnderTheCurve) {
  EXPECT_DOUBLE_EQ(guess_advantage(std::vector<double>{3, 4}, std::vector<double>{1, 2}), 0.5);
  EXPECT_DOUBLE_EQ(guess_advantage(std::vector<double>{1, 2}, std::vector<double>{1, 2}), 0);
  EXPECT_DOUBLE_EQ(guess_advantage(std::vector<double>{1}, std::vector<double>{2}), -0.5);
}

}  // namespace
}  // namespace hearth::eval
