#include "hearth/check/lock.h"

#include <gtest/gtest.h>

namespace hearth::check {
namespace {

Lock example() {
  return {.versions = {{"hearth", "0.1.0"}, {"machine.spark-1.engine", "0.7.0"}},
          .models = {{.path = "/m/k-00001-of-00002.gguf",
                      .url = "https://example.org/k-00001-of-00002.gguf",
                      .template_sha256 = std::string(64, 'b'),
                      .shards = {{"k-00001-of-00002.gguf", 12, Digest256()}, {"k-00002-of-00002.gguf", 13, {}}}}},
          .links = {{"enp1s0", 10'000, 9'000}},
          .endpoints = {{"llama-server", "http://127.0.0.1:8080"}}};
}

TEST(Lock, ReadsWhatItWrote) {
  const auto read = parse_lock(lock_text(example()), "hearth.lock");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, example());
}

TEST(Lock, FindsAModelByPathOrByTheNameOfAnyShard) {
  const Lock lock = example();
  EXPECT_NE(lock.find_model("/m/k-00001-of-00002.gguf"), nullptr);
  EXPECT_NE(lock.find_model("/elsewhere/k-00002-of-00002.gguf"), nullptr);
  EXPECT_EQ(lock.find_model("/m/other.gguf"), nullptr);
}

TEST(Lock, FaultsNameFileLineAndTheRightForm) {
  const std::pair<const char*, const char*> faults[] = {
      {"format = 2", "hearth.lock:1: top: format: expected 1"},
      {"format = 1\n[[model]]\npath = 3", "hearth.lock:3: [[model]]: path: expected a text in quotes"},
      {"format = 1\n[[model]]\npath = 'x'", "at least one [[model.shard]]"},
      {"format = 1\n[[link]]\ninterface = 'e'\nmbit_s = 'fast'", "hearth.lock:4: [[link]]: mbit_s: expected a whole number"},
      {"format = 1\n[[model]]\npath = 'x'\n[[model.shard]]\nfile = 'x'\nsha256 = 'zz'", "64 hexadecimal"},
      {"format = 1\n[versions]\nhearth = 1", "hearth.lock:3: [versions]: hearth"},
      {"format = 1\nmodel = 3", "[[model]] tables"},
      {"format =", "hearth.lock:1"},
  };
  for (const auto& [text, says] : faults) {
    const auto read = parse_lock(text, "hearth.lock");
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Code::invalid_argument);
    EXPECT_NE(read.error().message.find(says), std::string::npos) << read.error().message;
  }
}

TEST(Lock, DifferencesAreADiff) {
  EXPECT_EQ(version_diff({{"a", "1"}, {"b", "1"}, {"gone", "1"}}, {{"a", "1"}, {"b", "2"}, {"c", "3"}}), "- b = 1\n+ b = 2\n+ c = 3\n");
  EXPECT_EQ(version_diff({{"a", "1"}}, {{"a", "1"}}), "");
  Lock other = example();
  EXPECT_EQ(lock_diff(example(), other), "");
  other.links.clear();
  other.models[0].shards[1].bytes = 14;
  EXPECT_EQ(lock_diff(example(), other),
            "- file k-00002-of-00002.gguf = 13 bytes, SHA-256 unknown\n+ file k-00002-of-00002.gguf = 14 bytes, SHA-256 unknown\n"
            "- link enp1s0 = 10000 Mbit/s, MTU 9000\n");
}

}  // namespace
}  // namespace hearth::check
