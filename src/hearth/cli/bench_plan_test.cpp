#include "hearth/cli/bench_plan.h"

#include <gtest/gtest.h>

#include "hearth/base/file.h"
#include "hearth/store/bench_rows.h"

namespace hearth::cli {
namespace {

struct Setting {
  BenchFlags flags;
  std::string build = "b9100, CPU", model = "Kimi", machine = "here", file_sha256 = "1";
  double load_s = 1.5, load_average = 0.1;
};

Json environment_of(const Setting& setting) {
  const Json target = Json::object({{"name", "worker"}, {"kind", "worker"}, {"model", setting.model},
                                    {"build", setting.build}, {"load_s", setting.load_s}});
  const Json file = Json::object({{"file", "kimi.gguf"}, {"bytes", 5}, {"sha256", setting.file_sha256}});
  return Json::object({{"hearth", "0.1.0"}, {"machine", setting.machine}, {"load_average", setting.load_average},
                       {"targets", Json::array({target})}, {"files", Json::array({file})},
                       {"settings", bench_settings(setting.flags)}});
}

std::string plan_of(const Setting& setting) {
  return dump_json(bench_plan(setting.flags, {{.prompt_tokens = 512}}, environment_of(setting), Json()));
}

// A killed run, and then one that would go on with it.
bool goes_on(const Setting& later) {
  const TemporaryDirectory folder = TemporaryDirectory::create("hearth-bench-plan").value();
  auto rows = store::BenchRows::open(folder.path() / "bench.db").value();
  EXPECT_TRUE(rows.begin({.name = "bench", .environment = "{}", .plan = plan_of({})}));
  return rows.go_on("bench", plan_of(later)).value().has_value();
}

TEST(BenchPlan, OnlyARunOfTheSameSettingsEnginesAndFilesIsContinued) {
  EXPECT_TRUE(goes_on({}));
  EXPECT_TRUE(goes_on({.flags = {}, .load_s = 9, .load_average = 4})) << "what changes by itself";
  EXPECT_FALSE(goes_on({.flags = {}, .build = "b9200, CPU"}));
  EXPECT_FALSE(goes_on({.flags = {}, .model = "another"}));
  EXPECT_FALSE(goes_on({.flags = {}, .machine = "elsewhere"}));
  EXPECT_FALSE(goes_on({.flags = {}, .file_sha256 = "2"}));
}

TEST(BenchPlan, EachSettingTellsRunsApart) {
  const std::pair<const char*, void (*)(BenchFlags&)> changes[] = {
      {"ubatch_tokens", [](BenchFlags& f) { f.worker.ubatch_tokens = 128; }},
      {"context_tokens", [](BenchFlags& f) { f.worker.context_tokens = 4'096; }},
      {"sequences", [](BenchFlags& f) { f.worker.sequences = 1; }},
      {"chunk_tokens", [](BenchFlags& f) { f.worker.chunk_tokens = 128; }},
      {"threads", [](BenchFlags& f) { f.worker.threads = 1; }},
      {"kv_type", [](BenchFlags& f) { f.worker.kv_type = "q8_0"; }},
      {"device", [](BenchFlags& f) { f.worker.device = "cpu"; }},
      {"speed", [](BenchFlags& f) { f.speed = 0; }},
      {"in_flight", [](BenchFlags& f) { f.in_flight = 1; }},
      {"sessions", [](BenchFlags& f) { f.sessions = 1; }},
      {"block_tokens", [](BenchFlags& f) { f.block_tokens = 32; }},
      {"answer_tokens", [](BenchFlags& f) { f.answer_tokens = 8; }},
      {"repeats", [](BenchFlags& f) { f.repeats = 6; }},
      {"seed", [](BenchFlags& f) { f.seed = 2; }},
      {"time_max_s", [](BenchFlags& f) { f.time_max_s = 60; }}};
  for (const auto& [name, change] : changes) {
    SCOPED_TRACE(name);
    Setting other;
    change(other.flags);
    EXPECT_FALSE(goes_on(other));
    const Json settings = bench_settings(other.flags);
    ASSERT_NE(settings.find(name), nullptr) << dump_json(settings);
    EXPECT_NE(*settings.find(name), *bench_settings({}).find(name)) << "it is recorded, too";
  }
}

}  // namespace
}  // namespace hearth::cli
