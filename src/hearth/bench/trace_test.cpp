#include "hearth/bench/trace.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "hearth/bench/prompt_text.h"

namespace hearth::bench {
namespace {

TEST(PromptText, IsOfExactlyThatLengthAndAnotherOneForEverySeed) {
  const std::string text = prompt_text(1, 1000);
  EXPECT_EQ(text.size(), 1000U);
  EXPECT_EQ(prompt_text(1, 400), text.substr(0, 400));
  EXPECT_NE(prompt_text(2, 1000).substr(0, 20), text.substr(0, 20));
  EXPECT_EQ(prompt_text(3, 0), "");
}

TEST(Trace, RowsOfMooncake) {
  const auto rows = parse_trace("{\"timestamp\": 0, \"input_length\": 6758, \"output_length\": 500, \"hash_ids\": [0, 1, 2]}\n\n"
                                "{\"timestamp\": 3000, \"input_length\": 10, \"output_length\": 2, \"hash_ids\": []}", "t");
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ((*rows)[0].prompt_tokens, 6758U);
  EXPECT_EQ((*rows)[0].blocks.size(), 3U);
  EXPECT_DOUBLE_EQ((*rows)[1].at_ms, 3000);
}

TEST(Trace, FaultsNameTheLineAndTheForm) {
  for (const char* text : {"", "{", "{\"timestamp\": 0}", "{\"timestamp\": -1, \"input_length\": 1, \"output_length\": 1}",
                           "{\"timestamp\": 0, \"input_length\": 0, \"output_length\": 1}",
                           "{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 1, \"hash_ids\": 3}",
                           "{\"timestamp\": 0, \"input_length\": 999999999, \"output_length\": 1}"}) {
    const auto rows = parse_trace(text, "t.jsonl");
    ASSERT_FALSE(rows) << text;
    EXPECT_EQ(rows.error().code, Code::invalid_argument);
    EXPECT_TRUE(rows.error().message.starts_with("t.jsonl:")) << rows.error().message;
  }
  EXPECT_FALSE(parse_trace("{\"timestamp\": 5, \"input_length\": 1, \"output_length\": 1}\n{\"timestamp\": 4, \"input_length\": 1, \"output_length\": 1}", "t"));
}

TEST(Trace, EqualBlocksAreEqualText) {
  const TraceRow a{.prompt_tokens = 20, .answer_tokens = 1, .blocks = {7, 8}}, b{.prompt_tokens = 24, .answer_tokens = 1, .blocks = {7, 9}};
  const std::string one = row_text(a, 1, 10, 4), other = row_text(b, 2, 10, 4);
  EXPECT_EQ(one.size(), 80U);
  EXPECT_EQ(other.size(), 96U);
  EXPECT_EQ(one.substr(0, 40), other.substr(0, 40));
  EXPECT_NE(one.substr(40, 40), other.substr(40, 40));
}

TEST(AgentSessions, HaveTheStatisticsOfRealOnes) {
  const auto rows = agent_sessions({.turns = 4'000, .sessions = 8}, block_tokens_default);
  ASSERT_EQ(rows.size(), 4'000U);
  double prompt = 0, answer = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    prompt += rows[i].prompt_tokens;
    answer += rows[i].answer_tokens;
    EXPECT_GE(rows[i].at_ms, rows[i == 0 ? 0 : i - 1].at_ms);
  }
  EXPECT_NEAR(prompt / 4'000, 67'900, 7'000);
  EXPECT_NEAR(answer / 4'000, 528, 60);
  EXPECT_EQ(agent_sessions({.turns = 50}, 512)[49].prompt_tokens, agent_sessions({.turns = 50}, 512)[49].prompt_tokens);
}

TEST(AgentSessions, MostOfAPromptIsKnown) {
  const auto rows = agent_sessions({.turns = 2'000, .sessions = 4}, block_tokens_default);
  std::vector<std::uint64_t> seen;
  double known = 0, all = 0;
  for (const TraceRow& row : rows) {
    for (const std::uint64_t block : row.blocks) {
      ++all;
      if (std::ranges::binary_search(seen, block)) ++known;
    }
    seen.insert(seen.end(), row.blocks.begin(), row.blocks.end());
    std::ranges::sort(seen);
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  }
  EXPECT_NEAR(known / all, 0.86, 0.05);  // 85.7 % in the data set
}

TEST(AgentSessions, ScaleToSmallModels) {
  for (const TraceRow& row : agent_sessions({.turns = 500, .scale = 0.02}, 16)) EXPECT_LE(row.prompt_tokens, 4'000U);
}

}  // namespace
}  // namespace hearth::bench
