#include "hearth/eval/kl/kl_report.h"

#include <gtest/gtest.h>

#include "hearth/eval/kl/kl_test_support.h"

namespace hearth::eval {
namespace {

constexpr auto quiet = [](std::uint64_t, std::uint64_t) {};

class KlComparison : public ::testing::Test {
 protected:
  KlComparison() { EXPECT_TRUE(record_reference(reference_, toy_model(0), quiet, {})); }
  TextDivergences compare(double shake) {
    const auto path = directory_.path() / std::to_string(++files_);
    RecordFile file = RecordFile::create(path, toy_comparison_header(reference_)).value();
    EXPECT_TRUE(compare_candidate(reference_, file, toy_model(shake), quiet, {}));
    return read_divergences(reference_.header(), file).value();
  }
  KlReport report(double shake, KlThresholds thresholds, const TextDivergences* floor = nullptr) {
    const auto& header = reference_.header();
    return report_kl(header.content, header.plan(), compare(shake), floor, thresholds).value();
  }

  TemporaryDirectory directory_ = TemporaryDirectory::create("hearth-kl-test").value();
  RecordFile reference_ = RecordFile::create(directory_.path() / "reference", toy_header()).value();
  int files_ = 0;
};

TEST_F(KlComparison, OfAModelWithItselfIsNothingAndPasses) {
  const KlReport found = report(0, {.judged_positions = 100});
  EXPECT_EQ(found.verdict, KlVerdict::equivalent) << found.sentence;
  EXPECT_LT(found.all.max, 1e-6);
  EXPECT_EQ(found.all.same_top, 1);
  EXPECT_EQ(found.all.right_to_wrong + found.all.wrong_to_right, 0u);
  EXPECT_EQ(found.all.positions, 1'499u + 599u);
  EXPECT_FALSE(found.first_divergence.median);
  EXPECT_EQ(found.first_divergence.parted, 0u);
}

TEST_F(KlComparison, GrowsWithTheDistanceOfTheModels) {
  double before = 0;
  for (const double shake : {0.1, 0.5, 2.0}) {
    const KlReport found = report(shake, {});
    EXPECT_GT(found.all.mean, before);
    before = found.all.mean;
  }
}

TEST_F(KlComparison, ShowsClassesAndKindsOfTokensApart) {
  const KlReport found = report(1, {.judged_positions = 100});
  ASSERT_EQ(found.classes.size(), 2u);
  EXPECT_EQ(found.classes[0].text_class, "code");
  EXPECT_EQ(found.classes[0].summary.positions, 599u);
  ASSERT_EQ(found.kinds.size(), token_kinds);
  std::size_t positions = 0;
  for (const KlRow& row : found.kinds) positions += row.summary.positions;
  EXPECT_EQ(positions, found.all.positions);
  EXPECT_EQ(found.cells.size(), 2 * token_kinds);
  EXPECT_EQ(found.verdict, KlVerdict::not_shown);
  EXPECT_NE(found.sentence.find("writing, tool_call: mean KL"), std::string::npos)
      << found.sentence;
  EXPECT_EQ(found.first_divergence.parted, 2u);
}

TEST_F(KlComparison, FewPositionsAreShownAndNotJudged) {
  const KlReport found = report(0, {.judged_positions = 2'000});
  EXPECT_EQ(found.verdict, KlVerdict::too_little_text);
}

TEST_F(KlComparison, ControlTokensAreReadAgainstTheFloor) {
  const KlThresholds lenient{.mean_kl = 1, .same_top = 0, .judged_positions = 100};
  EXPECT_EQ(report(1, lenient).verdict, KlVerdict::not_shown);
  const TextDivergences floor = compare(1);
  EXPECT_EQ(report(1, lenient, &floor).verdict, KlVerdict::equivalent);
}

TEST_F(KlComparison, RowsOfAnotherPlanAreRefused) {
  const auto& header = reference_.header();
  TextDivergences rows = compare(0);
  rows[0].pop_back();
  EXPECT_FALSE(report_kl(header.content, header.plan(), rows, nullptr, {}));
}

TEST_F(KlComparison, RefusesAModelOfAnotherVocabulary) {
  RecordFile file =
      RecordFile::create(directory_.path() / "other", toy_comparison_header(reference_)).value();
  const LogitsSource small = [](std::span<const Token>, std::uint32_t, const LogitsRow& row) {
    return row(std::vector<float>(10));
  };
  const auto refused = compare_candidate(reference_, file, small, quiet, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("tokenizers differ"), std::string::npos);
}

}  // namespace
}  // namespace hearth::eval
