#include "hearth/experiment/measured.h"

#include <gtest/gtest.h>

namespace hearth::experiment {
namespace {

std::vector<MeasuredRow> rows_of(std::initializer_list<std::pair<const char*, const char*>> results) {
  std::vector<MeasuredRow> out;
  for (const auto& [step, text] : results) add_rows(step, parse_json(text).value(), out);
  return out;
}

constexpr const char* alone = R"({"rows":[{"target":"alone","prompt_tokens":1000,"ttft_ms":2000,"decode_tok_s":20,
  "intervals":{"ttft_ms":{"median":2000,"low":1900,"high":2100},"decode_tok_s":{"median":20,"low":19,"high":21},"total_ms":{"median":3000}},
  "predicted":{"ttft_ms":1600,"decode_tok_s":22}}]})";
constexpr const char* both = R"({"rows":[{"target":"alone","prompt_tokens":1000,"ttft_ms":2050,"decode_tok_s":20,
  "intervals":{"ttft_ms":{"median":2050,"low":2000,"high":2100}},"predicted":{"ttft_ms":1600,"decode_tok_s":22}},
  {"target":"split","prompt_tokens":1000,"ttft_ms":1025,"decode_tok_s":20.02,"hand_off":{"tail_ms":25},
   "intervals":{"ttft_ms":{"median":1025,"low":1000,"high":1100},"decode_tok_s":{"median":20.02,"low":19,"high":21},"total_ms":{"median":1525}},
   "predicted":{"ttft_ms":960,"decode_tok_s":22}},
  {"target":"split","prompt_tokens":9,"ttft_ms":1}]})";

TEST(Measured, ReadsNumbersIntervalsAndPredictions) {
  const auto rows = rows_of({{"first", alone}});
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].ttft_ms.value, 2000);
  EXPECT_EQ(rows[0].ttft_ms.low, 1900);
  EXPECT_EQ(rows[0].decode_tok_s.high, 21);
  EXPECT_NEAR(*rows[0].ttft_ms.error(), -0.2, 1e-9);
  EXPECT_EQ(rows[0].prefill_tok_s.value, std::nullopt);
  ASSERT_TRUE(rows[0].split);
  EXPECT_DOUBLE_EQ(rows[0].split->prefill_ms, 2000);
  EXPECT_DOUBLE_EQ(rows[0].split->decode_ms, 1000);
}

TEST(Measured, TheHandOffThatNothingHidIsNotPrefill) {
  const auto rows = rows_of({{"both", both}});
  ASSERT_TRUE(rows[1].split);
  EXPECT_DOUBLE_EQ(rows[1].split->prefill_ms, 1000);
  EXPECT_DOUBLE_EQ(rows[1].split->hand_off_ms, 25);
  EXPECT_DOUBLE_EQ(rows[1].split->decode_ms, 500);
}

TEST(Measured, ComparesWithinARunAndTheFirstOfARunWithTheFirstOfAll) {
  const auto rows = rows_of({{"first", alone}, {"both", both}});
  const auto found = compare_rows(rows);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].row, 1u);
  EXPECT_EQ(found[0].baseline, 0u);
  EXPECT_TRUE(found[0].ttft->is_noise());
  EXPECT_EQ(found[1].row, 2u);
  EXPECT_EQ(found[1].baseline, 1u);
  EXPECT_DOUBLE_EQ(found[1].ttft->value, 0.5);
  EXPECT_DOUBLE_EQ(*found[1].ttft->predicted, 0.6);
  EXPECT_FALSE(found[1].ttft->is_noise());
  EXPECT_TRUE(found[1].decode->is_noise());
}

TEST(Measured, SaysFasterOrSlowerAndWhatWasPredicted) {
  const auto rows = rows_of({{"first", alone}, {"both", both}});
  const std::string sentence = comparison_sentence(rows, compare_rows(rows)[1]);
  EXPECT_NE(sentence.find("split (both) against alone (both), 1000 tokens: first token 50 % sooner (0.48 to 0.55 times); predicted: 40 % sooner. Decode no change, within the noise"),
            std::string::npos) << sentence;
  EXPECT_EQ(prediction_sentence(rows), "The plan was off by 20 % on the first token (median of 3 rows) and 10 % on decode (median of 3).");
  EXPECT_EQ(prediction_sentence({}), "");
}

}  // namespace
}  // namespace hearth::experiment
