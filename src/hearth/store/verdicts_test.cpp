#include "hearth/store/verdicts.h"

#include <gtest/gtest.h>

#include "hearth/base/file.h"

namespace hearth::store {
namespace {

ClassVerdict verdict(std::string task_class, std::string arm) {
  return {.task_class = std::move(task_class),
          .arm = std::move(arm),
          .model = "kimi",
          .quantisation = "UD-Q4_K_XL",
          .reference = "Q8",
          .verdict = "non-inferior",
          .good_enough = true,
          .difference = -0.005,
          .low = -0.02,
          .high = 0.01,
          .margin = 0.03,
          .basis = {.model_digest = "m1", .engine_build = "b1", .topology = "two machines", .suite_version = "s1"},
          .study = "r1",
          .decided_s = 1'700'000'000};
}

TEST(VerdictStore, KeepsTheLatestOfEachClassAndArm) {
  const TemporaryDirectory folder = TemporaryDirectory::create("hearth-verdicts").value();
  const auto file = folder.path() / "verdicts.db";
  {
    VerdictStore store = VerdictStore::open(file).value();
    ASSERT_TRUE(store.put({verdict("writing", "Q4"), verdict("code", "Q4")}));
    ClassVerdict later = verdict("code", "Q4");
    later.good_enough = false;
    later.verdict = "inferior";
    ASSERT_TRUE(store.put({later}));
  }
  const VerdictStore store = VerdictStore::open_read_only(file).value();
  const std::vector<ClassVerdict> all = store.all().value();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].task_class, "code");
  EXPECT_FALSE(all[0].good_enough);
  EXPECT_EQ(all[1].basis, verdict("writing", "Q4").basis);
  EXPECT_EQ(store.find("writing", "Q4").value()->decided_s, 1'700'000'000);
  EXPECT_FALSE(store.find("writing", "Q2").value());
}

TEST(VerdictStore, AVerdictIsStaleWhenAnythingItDependsOnHasChanged) {
  struct Case {
    VerdictBasis now;
    std::string expected;  // empty: it holds
  };
  for (const Case& one :
       {Case{{}, ""},
        Case{{.model_digest = "m1", .engine_build = "b1", .topology = "two machines", .suite_version = "s1"}, ""},
        Case{{.model_digest = "m2"}, "the model"}, Case{{.engine_build = "b2"}, "the engine"},
        Case{{.topology = "one"}, "the topology"}, Case{{.suite_version = "s2"}, "the suite"}}) {
    const std::string reason = stale_reason(verdict("code", "Q4"), one.now);
    EXPECT_EQ(reason.empty(), one.expected.empty()) << reason;
    EXPECT_TRUE(reason.starts_with(one.expected)) << reason;
  }
}

}  // namespace
}  // namespace hearth::store
