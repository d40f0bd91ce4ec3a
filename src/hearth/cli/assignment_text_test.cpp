#include "hearth/cli/assignment_text.h"

#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

Result<ClusterWish> wish_of(std::string_view toml) {
  ServeConfig config;
  if (auto read = read_serve_config(toml, "h.toml", config); !read) return std::unexpected(read.error());
  return read_cluster_wish(toml, "h.toml", config);
}

constexpr std::string_view desk = R"([worker]
context = 65536
kv_type = "q8_0"
[models]
kimi = "/models/kimi \"4\".gguf"
[[machine]]
name = "spark-1"
model = "kimi"
threads = 8
[[machine]]
name = "spark-2"
lend = true
[[link]]
ends = ["studio", "spark-1"]
mb_per_s = 900
)";

TEST(AssignmentText, AMachineReadsWhatWasWrittenForIt) {
  const auto wish = wish_of(desk);
  ASSERT_TRUE(wish) << wish.error().message;
  ASSERT_EQ(wish->machines.size(), 2u);
  EXPECT_TRUE(wish->machines[0].has_model);
  ServeConfig config;
  config.port = 1;
  config.lend = true;
  ASSERT_TRUE(read_assignment(wish->machines[0].toml, config));
  EXPECT_EQ(config.model, "/models/kimi \"4\".gguf");
  EXPECT_EQ(config.context_tokens, 65536u);
  EXPECT_EQ(config.kv_type, "q8_0");
  EXPECT_EQ(config.threads, 8u);
  EXPECT_FALSE(config.lend);
  EXPECT_EQ(config.port, 1u);

  EXPECT_FALSE(wish->machines[1].has_model);
  ASSERT_TRUE(read_assignment(wish->machines[1].toml, config));
  EXPECT_TRUE(config.lend);
  EXPECT_EQ(config.model, "") << "what was assigned before is gone";

  ASSERT_EQ(wish->links.size(), 1u);
  EXPECT_EQ(wish->links[0].b, "spark-1");
  EXPECT_EQ(wish->links[0].mb_per_s, 900);
}

TEST(AssignmentText, TheSameFileGivesTheSameBytes) {
  EXPECT_EQ(wish_of(desk)->machines[0].toml, wish_of(desk)->machines[0].toml);
}

struct Fault {
  std::string_view toml;
  std::vector<std::string_view> told;
};

TEST(AssignmentText, EachFaultIsToldWithItsPlace) {
  const Fault faults[] = {
      {"", {"no machine", "[[machine]]"}},
      {"[[machine]]\nname = \"a\"\n", {"h.toml:1: [[machine]] model: missing", "lend = true"}},
      {"[[machine]]\nmodel = \"/m.gguf\"\n", {"name: missing", "spark-1"}},
      {"[[machine]]\nname = \"a\"\nmodel = \"kimi\"\n", {"h.toml:3", "neither in [models] nor an absolute path"}},
      {"[[machine]]\nname = \"a\"\nlend = true\nport = 3\n", {"h.toml:4: [[machine]] port: unknown", "threads"}},
      {"[[machine]]\nname = \"a\"\nlend = true\nthreads = -1\n", {"h.toml:4", "whole number"}},
      {"[[machine]]\nname = \"a\"\nlend = 1\n", {"true or false"}},
      {"[[machine]]\nname = \"a\"\nlend = true\n[[machine]]\nname = \"a\"\nlend = true\n", {"h.toml:5", "there twice"}},
      {"[machine]\nname = \"a\"\n", {"expected [[machine]]"}},
      {"[[machine]]\nname = \"a\"\nlend = true\n[[link]]\nends = [\"a\"]\n", {"h.toml:5", "two machines"}},
      {"[[machine]]\nname = \"a\"\nlend = true\n[[link]]\nends = [\"a\", \"b\"]\n", {"mb_per_s", "900"}},
  };
  for (const Fault& fault : faults) {
    SCOPED_TRACE(fault.toml);
    const auto wish = wish_of(fault.toml);
    ASSERT_FALSE(wish);
    EXPECT_EQ(wish.error().code, Code::invalid_argument);
    for (const std::string_view told : fault.told) {
      EXPECT_NE(wish.error().message.find(told), std::string::npos) << wish.error().message;
    }
  }
}

TEST(AssignmentText, WhatIsAMachinesOwnIsNotAssigned) {
  for (const std::string_view toml :
       {"[serve]\nhost = \"0.0.0.0\"\n", "[serve]\napi_keys = [\"12345678\"]\n", "[store]\ndirectory = \"/\"\n",
        "[cluster]\ndirectory = \"/tmp\"\n", "[cluster]\npool = [\"a\"]\n", "[log]\nlevel = \"off\"\n"}) {
    SCOPED_TRACE(toml);
    ServeConfig config;
    const auto read = read_assignment(toml, config);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, Code::permission);
  }
  ServeConfig config;
  EXPECT_FALSE(read_assignment("[worker]\ncontext = \"much\"\n", config));
  EXPECT_FALSE(read_assignment("serve = 1\n", config));
  EXPECT_FALSE(read_assignment("[worker\n", config));
}

}  // namespace
}  // namespace hearth::cli
