#include <gtest/gtest.h>

#include "hearth/base/file.h"
#include "hearth/node/probe/machine_probe.h"
#include "hearth/node/probe/model_probe.h"

namespace hearth::node {
namespace {

TEST(Summarise, TellsMedianAndSpread) {
  EXPECT_EQ(summarise({}).samples, 0u);
  EXPECT_DOUBLE_EQ(summarise({3, 1, 2}).median, 2);
  EXPECT_DOUBLE_EQ(summarise({3, 1, 2}).spread, 0.5);
  EXPECT_DOUBLE_EQ(summarise({4, 1, 3, 2}).median, 2.5);
  EXPECT_DOUBLE_EQ(summarise({7}).spread, 0);
}

TEST(MachineProbe, KnowsThisMachine) {
  const MachineFacts facts = machine_facts();
  EXPECT_FALSE(facts.name.empty());
  EXPECT_EQ(facts.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"), std::string::npos);
  EXPECT_GT(facts.memory_bytes, 1u << 28);
  EXPECT_LE(facts.available_bytes, facts.memory_bytes);
  EXPECT_GE(facts.threads, 1u);
}

TEST(MachineProbe, ReadsMemoryAndStopsWhenAsked) {
  const BandwidthOptions small{.bytes = 8u << 20, .repetitions = 2};
  const auto measured = measure_memory_bandwidth(machine_facts(), small, {});
  ASSERT_TRUE(measured) << measured.error().message;
  EXPECT_GT(measured->median, 0);
  EXPECT_EQ(measured->samples, 2u);
  StopSource stop;
  stop.request_stop();
  EXPECT_EQ(measure_memory_bandwidth(machine_facts(), small, stop.token()).error().code,
            Code::cancelled);
}

TEST(MachineProbe, StorageThatCannotBeMeasuredIsNotAnError) {
  const auto nowhere = measure_storage("/nonexistent", {}, {});
  ASSERT_TRUE(nowhere);
  EXPECT_FALSE(*nowhere);
  const auto directory = TemporaryDirectory::create("hearth-probe");
  ASSERT_TRUE(directory);
  const auto path = directory->path() / "short";
  const Bytes few(1000);
  const ByteSpan bytes(few);
  ASSERT_TRUE(real_file_system()->write_atomically(path, std::span(&bytes, 1),
                                                   Durability::survives_process));
  const auto measured = measure_storage(path, {}, {});
  ASSERT_TRUE(measured);
  EXPECT_FALSE(*measured);
}

TEST(ModelProbe, AsksForAContextThatHoldsItsPoints) {
  EXPECT_GE(context_for({}), 4096u + decode_window_tokens_max);
  EXPECT_EQ(context_for({}) % 1024, 0u);
}

TEST(ModelProbe, ReachesAsDeepAsItIsAsked) {
  const auto depths = [](std::uint32_t deepest) {
    const ModelProbeOptions options = reaching(deepest);
    std::vector<std::uint32_t> out;
    for (const ProbePoint& point : options.decode) out.push_back(point.depth);
    EXPECT_EQ(options.prefill.back().depth + options.prefill.back().tokens, out.back());
    return out;
  };
  using Depths = std::vector<std::uint32_t>;
  EXPECT_EQ(depths(usual_depth_tokens), (Depths{256, 1536, 4096}));
  EXPECT_EQ(depths(4097), (Depths{256, 1536, 4096, 4097}));
  EXPECT_EQ(depths(20'000), (Depths{256, 1536, 4096, 8192, 16'384, 20'000}));
  EXPECT_GE(context_for(reaching(20'000)), 20'000u + decode_window_tokens_max);
}

TEST(ModelProbe, OfTwoLooksTheFasterCountsPointByPoint) {
  const auto look = [](double shallow, double deep, double handoff) {
    return ModelProbe{.runs = {{"decode", {256, 32}, summarise({shallow})}, {"decode", {4096, 32}, summarise({deep})}},
                      .handoff_s = Measured{0.1, handoff, 3}};
  };
  const ModelProbe best = faster_of(look(10, 3, 0.2), look(2, 4, 0.1));
  EXPECT_DOUBLE_EQ(best.runs[0].seconds.median, 2);
  EXPECT_DOUBLE_EQ(best.runs[1].seconds.median, 3);
  EXPECT_EQ(best.runs[1].point.depth, 4096u);
  EXPECT_DOUBLE_EQ(best.handoff_s->spread, 0.1);
  EXPECT_FALSE(faster_of({}, {}).handoff_s);
}

TEST(ModelProbe, OfTwoLooksWithOtherWindowsTheFasterStepCounts) {
  const ModelProbe long_window{.runs = {{"decode", {256, 256}, summarise({2.56})}}};
  const ModelProbe short_window{.runs = {{"decode", {256, 32}, summarise({0.64})}}};
  for (const ModelProbe& best : {faster_of(long_window, short_window), faster_of(short_window, long_window)}) {
    EXPECT_EQ(best.runs[0].point.tokens, 256u);
    EXPECT_DOUBLE_EQ(best.runs[0].seconds.median, 2.56);
  }
}

}  // namespace
}  // namespace hearth::node
