#include "hearth/bench/statistics.h"

#include <gtest/gtest.h>

#include "hearth/base/random.h"

namespace hearth::bench {
namespace {

TEST(Spread, OfFewValuesIsHonestAboutItsConfidence) {
  EXPECT_EQ(spread_of({}).samples, 0U);
  EXPECT_EQ(spread_of({3}).confidence, 0);
  const Spread two = spread_of({3, 1});
  EXPECT_DOUBLE_EQ(two.median, 2);
  EXPECT_DOUBLE_EQ(two.confidence, 0.5);
  EXPECT_DOUBLE_EQ(spread_of({1, 2, 3, 4, 5}).confidence, 1 - 2.0 / 32);
  EXPECT_DOUBLE_EQ(spread_of({1, 2, 3, 4, 5, 6}).confidence, 1 - 2.0 / 64);  // the first that reaches 95 %
}

TEST(Spread, HoldsTheTrueMedianAsOftenAsItSays) {
  Random random(1);
  for (const std::size_t n : {6U, 11U, 30U, 1'500U}) {
    int held = 0;
    for (int i = 0; i < 1000; ++i) {
      std::vector<double> values;
      for (std::size_t k = 0; k < n; ++k) values.push_back(random.uniform() * random.uniform());  // median about 0.187
      const Spread spread = spread_of(values);
      if (spread.low <= 0.1867 && spread.high >= 0.1867) ++held;
      EXPECT_GE(spread.confidence, 0.95);
    }
    EXPECT_GE(held, 935) << n;
  }
}

TEST(Quantile, InterpolatesBetweenOrderStatistics) {
  EXPECT_DOUBLE_EQ(quantile({1, 2, 3, 4}, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile({4, 1}, 1), 4);
  EXPECT_DOUBLE_EQ(quantile({}, 0.5), 0);
}

TEST(Histogram, IsWithinItsWidthOfTheExactQuantile) {
  Random random(2);
  Histogram histogram;
  std::vector<double> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(0.01 + 100 * random.uniform() * random.uniform());
    histogram.add(values.back());
  }
  for (const double share : {0.01, 0.5, 0.9, 0.99}) {
    EXPECT_NEAR(histogram.quantile(share) / quantile(values, share), 1, 0.012) << share;
  }
  EXPECT_DOUBLE_EQ(histogram.quantile(1), histogram.most());
  EXPECT_DOUBLE_EQ(Histogram().quantile(0.5), 0);
}

}  // namespace
}  // namespace hearth::bench
