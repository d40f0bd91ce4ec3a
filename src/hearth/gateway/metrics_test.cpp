// /metrics: the text that Prometheus reads, line by line, and what is counted.
#include "hearth/gateway/metrics.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace hearth::gateway {
namespace {

// Sample to value; complaints become failures.
std::map<std::string, double> read_prometheus(const std::string& text) {
  static const std::regex help("# HELP ([a-z_]+) \\S.*");
  static const std::regex type("# TYPE ([a-z_]+) (counter|gauge|histogram)");
  static const std::regex sample(
      R"re(([a-z_]+)((\{[a-z]+="[^"\\\n]*"(,[a-z]+="[^"\\\n]*")*\})?) ([0-9.e+-]+))re");
  std::map<std::string, double> out;
  std::set<std::string> families;
  std::string family;
  std::string kind;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch found;
    if (std::regex_match(line, found, help)) {
      family = found[1];
      kind.clear();
      EXPECT_TRUE(families.insert(family).second) << "twice: " << family;
    } else if (std::regex_match(line, found, type)) {
      EXPECT_EQ(found[1], family);
      kind = found[2];
    } else if (std::regex_match(line, found, sample)) {
      const std::string name = found[1];
      EXPECT_FALSE(kind.empty()) << "before its TYPE: " << line;
      EXPECT_TRUE(kind == "histogram" ? name.starts_with(family + "_") : name == family) << line;
      EXPECT_EQ(kind == "counter", name.ends_with("_total")) << line;
      EXPECT_TRUE(out.emplace(found[1].str() + found[2].str(), std::stod(found[5])).second) << line;
    } else {
      ADD_FAILURE() << "not of the format: " << line;
    }
  }
  EXPECT_TRUE(text.ends_with("\n"));
  return out;
}

TEST(Metrics, AreWellFormedAndZeroAtFirst) {
  const auto samples = read_prometheus(Metrics().prometheus({}));
  EXPECT_GT(samples.size(), 20U);
  for (const auto& [name, value] : samples) EXPECT_EQ(value, 0) << name;
}

TEST(Metrics, SayWhatWasCounted) {
  Metrics metrics;
  metrics.prompt_tokens += 100;
  metrics.cached_tokens += 60;
  ++metrics.requests_attached;
  metrics.count_request("messages", 200);
  metrics.count_request("messages", 200);
  metrics.count_request("messages", 529);
  metrics.count_request("chat", 400);
  const auto samples = read_prometheus(metrics.prometheus(
      {.jobs = 2, .connections = 3, .reading_tokens_done = 4096, .reading_tokens = 120'000, .model_ready = true,
       .stalled_s = 140, .resident_bytes = 1ull << 33}));
  const std::map<std::string, double> expected = {
      {"hearth_prompt_tokens_total", 100},
      {"hearth_cached_prompt_tokens_total", 60},
      {"hearth_requests_attached_total", 1},
      {R"(hearth_requests_total{api="messages",status="200"})", 2},
      {R"(hearth_requests_total{api="messages",status="529"})", 1},
      {R"(hearth_requests_total{api="chat",status="400"})", 1},
      {"hearth_answers_running", 2},
      {"hearth_reading_tokens_done", 4096},
      {"hearth_reading_tokens", 120'000},
      {"hearth_connections", 3},
      {"hearth_model_ready", 1},
      {"hearth_model_stalled_seconds", 140},
      {"hearth_resident_bytes", 8589934592.0},
  };
  for (const auto& [name, value] : expected) {
    ASSERT_TRUE(samples.contains(name)) << name;
    EXPECT_EQ(samples.at(name), value) << name;
  }
}

TEST(Metrics, HistogramsAreCumulative) {
  using std::chrono::milliseconds;
  Metrics metrics;
  for (const int ms : {0, 10, 11, 25, 1000, 3'600'000}) metrics.ttft.observe(milliseconds(ms));
  const auto samples = read_prometheus(metrics.prometheus({}));
  const auto at = [&](const std::string& name) {
    return samples.at("hearth_time_to_first_token_seconds" + name);
  };
  EXPECT_EQ(at(R"(_bucket{le="0.01"})"), 2);  // an edge belongs to its bucket
  EXPECT_EQ(at(R"(_bucket{le="0.025"})"), 4);
  EXPECT_EQ(at(R"(_bucket{le="0.5"})"), 4);
  EXPECT_EQ(at(R"(_bucket{le="1"})"), 5);
  EXPECT_EQ(at(R"(_bucket{le="1800"})"), 5);
  EXPECT_EQ(at(R"(_bucket{le="+Inf"})"), 6);
  EXPECT_EQ(at("_count"), 6);
  EXPECT_NEAR(at("_sum"), 3601.046, 1e-6);
}

}  // namespace
}  // namespace hearth::gateway
