#include "hearth/seal/label.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "hearth/base/random.h"

namespace hearth::seal {
namespace {

TEST(Label, NamesReadBack) {
  for (const Label label : all_labels) EXPECT_EQ(parse_label(label_name(label)).value(), label);
  for (const std::string_view bad : {"", "Sealed", "open ", "secret", "sealedx"}) {
    const auto parsed = parse_label(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code, Code::invalid_argument);
  }
}

TEST(Label, ReachFollowsFromLabel) {
  EXPECT_TRUE(may_go(Label::open, Reach::remote));
  EXPECT_FALSE(may_go(Label::house, Reach::remote));
  EXPECT_FALSE(may_go(Label::sealed, Reach::remote));
  EXPECT_TRUE(may_go(Label::house, Reach::house));
  EXPECT_FALSE(may_go(Label::sealed, Reach::house));
  for (const Label label : all_labels) EXPECT_TRUE(may_go(label, Reach::cluster));
  EXPECT_FALSE(may_go(static_cast<Label>(9), Reach::cluster));
}

// The result is the strictest, in whatever order the sources speak, and never falls.
TEST(LabelDecision, IsTheJoinAndMonotone) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Random random(seed);
    std::vector<Reason> reasons;
    for (std::uint64_t i = 0, n = 1 + random.below(60); i < n; ++i) {
      reasons.push_back({.source = static_cast<Source>(random.below(8)),
                         .label = static_cast<Label>(random.below(3)),
                         .rule = std::to_string(random.below(20))});
    }
    LabelDecision forward, backward;
    for (const Reason& reason : reasons) {
      const Label before = forward.label;
      forward.add(reason);
      EXPECT_GE(forward.label, before);
    }
    for (auto it = reasons.rbegin(); it != reasons.rend(); ++it) backward.add(*it);
    const Label strictest = std::ranges::max_element(reasons, {}, &Reason::label)->label;
    EXPECT_EQ(forward.label, strictest) << seed;
    EXPECT_EQ(backward.label, strictest) << seed;
    EXPECT_LE(forward.reasons.size(), reasons_max);
    EXPECT_EQ(forward.reasons.front().label, strictest);
    LabelDecision joined = forward;
    joined.add(backward);
    EXPECT_EQ(joined.label, strictest);
  }
}

}  // namespace
}  // namespace hearth::seal
