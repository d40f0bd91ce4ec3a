// One layout at a time, where search_test.cpp looks at what a search makes of many.
#include "hearth/plan/search/candidates.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "hearth/plan/catalog/load.h"
#include "hearth/plan/search/generate.h"

namespace hearth::plan {
namespace {

class Timed : public testing::Test {
 protected:
  Scene scene(const Workload& workload) const { return {spec_, card_, workload, calibrations_, "llama.cpp"}; }

  std::vector<Layout> layouts() const {
    const Workload batch = *find_workload("batch");
    Options options;
    options.with_curve = false;
    std::vector<Layout> out;
    for (Candidate& candidate : generate(scene(batch), {}, options).candidates) {
      if (candidate.timed) out.push_back(std::move(candidate.layout));
    }
    return out;
  }

  static Workload batch_of(std::uint32_t streams, std::uint64_t output_tokens = 1000) {
    Workload workload = *find_workload("batch");
    workload.streams = streams;
    workload.output_tokens = output_tokens;
    return workload;
  }

  const Catalog catalog_ = load_shipped().value();
  const Calibrations calibrations_ = calibrations_of(catalog_);
  const ClusterSpec spec_ = resolve_cluster(catalog_, *catalog_.cluster("reference")).value();
  const ModelCard card_ = card_of(catalog_, "kimi-k2.6", "Q2").value();
};

Timing timing(const Scene& scene, const Layout& layout) {
  return time_of(scene, scene, layout, 0, static_cast<double>(scene.workload().new_tokens())).value();
}

double seconds_of(const Duration& duration, std::string_view name) {
  const auto part = std::ranges::find(duration.parts, name, &TimePart::name);
  return part == duration.parts.end() ? 0 : part->seconds;
}

TEST_F(Timed, APromptWaitsLongerTheMoreStreamsThereAreAndTheLessTheyWrite) {
  const auto all = layouts();
  ASSERT_FALSE(all.empty());
  std::vector<double> before_s(all.size(), 0);
  for (const std::uint32_t streams : {1u, 2u, 4u, 8u}) {
    const Scene writes_little = scene(batch_of(streams));
    const Scene writes_much = scene(batch_of(streams, 40000));
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Timing timed = timing(writes_little, all[i]);
      const double wait_s = seconds_of(timed.first, "queue");
      const double among_writers_s = seconds_of(timing(writes_much, all[i]).first, "queue");
      if (streams == 1) {
        EXPECT_EQ(wait_s, 0) << family_name(all[i].family);
      } else {
        EXPECT_GT(wait_s, before_s[i]) << family_name(all[i].family) << " " << streams;
        EXPECT_GT(wait_s, among_writers_s) << family_name(all[i].family) << " " << streams;
        EXPECT_LE(wait_s, (streams - 1) / 2.0 * timed.prefill.seconds() * (1 + 1e-9));
      }
      before_s[i] = wait_s;
    }
  }
}

TEST_F(Timed, OnlyStreamsThatPrefillWhereTheyDecodeHoldEachOtherUp) {
  const Scene one = scene(batch_of(1)), two = scene(batch_of(2)), four = scene(batch_of(4));
  bool together = false, apart = false;
  for (const Layout& layout : layouts()) {
    const auto held_up_s = [&](const Scene& at) {
      return seconds_of(timing(at, layout).step, "prefill of other streams");
    };
    EXPECT_EQ(held_up_s(one), 0) << family_name(layout.family);
    if (layout.prefill.empty()) {
      together = true;
      EXPECT_GT(held_up_s(two), 0) << family_name(layout.family);
      EXPECT_NEAR(held_up_s(four) / held_up_s(two), 3, 1e-9) << family_name(layout.family);
    } else {
      apart = true;
      EXPECT_EQ(held_up_s(four), 0) << family_name(layout.family);
    }
  }
  EXPECT_TRUE(together);
  EXPECT_TRUE(apart);
}

TEST_F(Timed, TheMostStreamsFitAndOneMoreDoesNot) {
  const Scene one = scene(batch_of(1));
  bool is_bounded = false;
  for (const Layout& layout : layouts()) {
    const std::uint32_t most = max_streams_of(one, layout);
    ASSERT_GT(most, 0u) << family_name(layout.family);
    EXPECT_TRUE(fits(one, layout, one.workload().context_tokens, most)) << family_name(layout.family);
    if (most == streams_max) continue;
    is_bounded = true;
    EXPECT_FALSE(fits(one, layout, one.workload().context_tokens, most + 1)) << family_name(layout.family);
  }
  EXPECT_TRUE(is_bounded);
}

// Overlapping passes are bounded by the slowest machine alone; one machine has nothing to overlap.
TEST_F(Timed, OverlappedPrefillIsAsFastAsItsSlowestMachine) {
  const Scene one = scene(batch_of(1));
  const double tokens = static_cast<double>(one.workload().new_tokens());
  bool several = false;
  for (const Layout& layout : layouts()) {
    const Plan plan = make_plan(one, one, layout, false);
    const Pool& pool = layout.prefill.empty() ? layout.decode : layout.prefill;
    EXPECT_EQ(plan.pipelined_prefill_tok_s.has_value(), pool.size() > 1) << family_name(layout.family);
    if (!plan.pipelined_prefill_tok_s) continue;
    several = true;
    EXPECT_GT(*plan.pipelined_prefill_tok_s, plan.prefill_tok_s->p50) << family_name(layout.family);
    const auto time = one.prefill(pool, 0, tokens, layout.ubatch);
    double slowest_s = 0;
    for (const TimePart& part : time->parts) {
      if (part.node) slowest_s = std::max(slowest_s, part.seconds);
    }
    EXPECT_NEAR(*plan.pipelined_prefill_tok_s, tokens / slowest_s, 1e-6) << family_name(layout.family);
  }
  EXPECT_TRUE(several);
}

}  // namespace
}  // namespace hearth::plan
