#include "hearth/store/bench_rows.h"

#include <gtest/gtest.h>

#include "hearth/base/file.h"

namespace hearth::store {
namespace {

TEST(BenchRows, KeepsRunsAndTheirSamplesInOrder) {
  const TemporaryDirectory folder = TemporaryDirectory::create("hearth-bench-rows").value();
  const auto file = folder.path() / "bench.db";
  {
    BenchRows rows = BenchRows::open(file).value();
    const std::int64_t first = rows.begin({.name = "a", .started_s = 5, .environment = "{}", .plan = "{}"}).value();
    const std::int64_t second = rows.begin({.name = "b", .started_s = 6, .environment = "{}", .plan = "{}"}).value();
    ASSERT_TRUE(rows.add(first, std::vector<BenchSample>{{"x", "one"}}));
    ASSERT_TRUE(rows.add(second, std::vector<BenchSample>{{"x", "other"}}));
    ASSERT_TRUE(rows.add(first, std::vector<BenchSample>{{"y", "two"}}));
    ASSERT_TRUE(rows.end(first, "done"));
  }
  BenchRows rows = BenchRows::open(file).value();
  std::vector<std::string> seen;
  ASSERT_TRUE(rows.samples(rows.find("a")->id, [&](const std::string& sample) -> Result<> {
    seen.push_back(sample);
    return {};
  }));
  EXPECT_EQ(seen, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(rows.find("1")->state, "done");
  EXPECT_EQ(rows.find("last")->name, "b");
  EXPECT_EQ(rows.find("b")->state, "running");  // whoever began it died
  EXPECT_EQ(rows.runs()->size(), 2U);
  EXPECT_EQ(rows.find("c").error().code, Code::not_found);
  EXPECT_EQ(rows.find("77").error().code, Code::not_found);
}

TEST(BenchRows, TheLatestRunIsContinuedUnlessItIsDoneOrVoid) {
  const TemporaryDirectory folder = TemporaryDirectory::create("hearth-bench-rows").value();
  BenchRows rows = BenchRows::open(folder.path() / "bench.db").value();
  const auto begin = [&](std::string plan) { return rows.begin({.name = "a", .environment = "{}", .plan = std::move(plan)}).value(); };
  const std::int64_t killed = begin("{}");
  EXPECT_EQ(rows.go_on("a", "{}").value(), killed);  // "running": whoever began it died
  EXPECT_FALSE(rows.go_on("a", "{other}").value());
  EXPECT_FALSE(rows.go_on("b", "{}").value());
  for (const char* state : {"interrupted", "failed: no answer"}) {
    ASSERT_TRUE(rows.end(killed, state));
    EXPECT_EQ(rows.go_on("a", "{}").value(), killed) << state;
    EXPECT_EQ(rows.find("a")->state, "running");
  }
  for (const char* state : {"done", "void: the model changed"}) {
    const std::int64_t latest = begin("{}");
    ASSERT_TRUE(rows.end(latest, state));
    EXPECT_FALSE(rows.go_on("a", "{}").value()) << state;  // nor what was killed before it
    EXPECT_EQ(rows.find("a")->state, state);
  }
}

}  // namespace
}  // namespace hearth::store
