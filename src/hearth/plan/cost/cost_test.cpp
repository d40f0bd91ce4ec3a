#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "hearth/plan/accuracy.h"
#include "hearth/plan/catalog/load.h"
#include "hearth/plan/cost/evidence.h"
#include "hearth/plan/cost/formulas.h"

namespace hearth::plan {
namespace {

const Catalog& shipped() {
  static const Catalog catalog = *load_shipped();
  return catalog;
}
ModelCard kimi(std::string_view variant) { return *card_of(shipped(), "kimi-k2.6", variant); }

// Draws experts for real and counts.
double drawn_experts(unsigned experts, unsigned per_token, unsigned tokens,
                     std::mt19937_64& random) {
  std::set<unsigned> touched;
  std::vector<unsigned> all(experts);
  for (unsigned i = 0; i < experts; ++i) all[i] = i;
  for (unsigned t = 0; t < tokens; ++t) {
    for (unsigned i = 0; i < per_token; ++i) {
      std::swap(all[i], all[i + random() % (experts - i)]);
      touched.insert(all[i]);
    }
  }
  return static_cast<double>(touched.size());
}

TEST(ExpectedExperts, MatchesDraws) {
  std::mt19937_64 random(7);
  for (const unsigned experts : {8u, 32u, 128u, 384u}) {
    for (const unsigned tokens : {1u, 2u, 8u, 48u, 256u}) {
      const unsigned per_token = experts == 8 ? 2 : 8;
      constexpr int rounds = 400;
      double sum = 0;
      for (int i = 0; i < rounds; ++i) sum += drawn_experts(experts, per_token, tokens, random);
      EXPECT_NEAR(expected_experts(experts, per_token, tokens), sum / rounds, 0.02 * experts)
          << experts << " experts, " << tokens << " tokens";
    }
  }
  EXPECT_NEAR(expected_experts(384, 8, 1), 8, 1e-9);
  EXPECT_DOUBLE_EQ(expected_experts(0, 0, 5), 0);
}

TEST(AttentionFlop, MatchesTokenByTokenSums) {
  const ModelCard dense = *card_of(shipped(), "llama-3.1-8b", "4bit");
  for (const double depth : {0.0, 100.0, 5000.0}) {
    double sum = 0;
    for (int t = 0; t < 512; ++t) sum += dense.attention_flop * (depth + t + 0.5);
    EXPECT_NEAR(attention_flop(dense, AttentionForm::absorbed, depth, 512, 512), sum, 1e-6 * sum);
  }
}

// The published table of mean GFLOP per token over a whole prompt.
TEST(AttentionFlop, ReproducesKimisTotals) {
  const ModelCard card = kimi("Q4");
  struct Row {
    double tokens, absorbed, expanded;
  };
  for (const Row row :
       {Row{2048, 70, 64}, Row{8192, 96, 71}, Row{32768, 200, 102}, Row{131072, 618, 225}}) {
    const double linear = linear_flop(card, row.tokens);
    const double absorbed = attention_flop(card, AttentionForm::absorbed, 0, row.tokens, 2048);
    EXPECT_NEAR((linear + absorbed) / row.tokens / 1e9, row.absorbed, 0.01 * row.absorbed + 0.6);
    ModelCard without_expansion = card;
    without_expansion.kv_up_flop = 0;
    const double expanded =
        attention_flop(without_expansion, AttentionForm::expanded, 0, row.tokens, 2048);
    EXPECT_NEAR((linear + expanded) / row.tokens / 1e9, row.expanded, 0.01 * row.expanded + 0.6);
  }
}

TEST(ModelCard, BytesAddUpToTheFile) {
  for (const Model& model : shipped().models) {
    for (const Variant& variant : model.variants) {
      const Result<ModelCard> card = card_of(shipped(), model.key, variant.name);
      ASSERT_TRUE(card) << card.error().message;
      const double bytes = static_cast<double>(variant.bytes);
      EXPECT_NEAR(static_cast<double>(total_bytes(*card)), bytes, 0.03 * bytes)
          << model.key << " " << variant.name;
      if (variant.bytes_read_per_token) {
        const double read = static_cast<double>(*variant.bytes_read_per_token);
        EXPECT_NEAR(decode_read_bytes(*card, 1), read, 0.06 * read)
            << model.key << " " << variant.name;
      }
      if (variant.bytes_per_layer) {
        const double layer = static_cast<double>(*variant.bytes_per_layer);
        EXPECT_NEAR(static_cast<double>(card->layers.back().bytes()), layer, 0.03 * layer);
      }
    }
  }
}

TEST(DecodeReadBytes, GrowsWithStreamsUpToTheWholeFile) {
  const ModelCard card = kimi("Q2");
  double last = 0;
  for (const double streams : {1.0, 2.0, 4.0, 16.0, 64.0, 4096.0}) {
    const double bytes = decode_read_bytes(card, streams);
    EXPECT_GT(bytes, last);
    EXPECT_LE(bytes, static_cast<double>(total_bytes(card)));
    last = bytes;
  }
}

TEST(KvBytes, MatchesPublishedSizes) {
  EXPECT_DOUBLE_EQ(kv_bytes(kimi("Q4"), KvType::f16, 1), 70272);
  EXPECT_DOUBLE_EQ(kv_bytes(kimi("Q4"), KvType::q8_0, 1), 37332);
  const ModelCard oss = *card_of(shipped(), "gpt-oss-120b", "MXFP4 (ggml-org)");
  EXPECT_DOUBLE_EQ(kv_bytes(oss, KvType::f16, 100), 73728.0 * 100);            // inside the window
  EXPECT_DOUBLE_EQ(kv_bytes(oss, KvType::f16, 1128), 36864.0 * (1128 + 128));  // half stops at 128
  const ModelCard hybrid = *card_of(shipped(), "qwen3.5-397b-a17b", "4bit");
  EXPECT_DOUBLE_EQ(kv_bytes(hybrid, KvType::f16, 0), 195400000);  // recurrent state at once
}

TEST(FindVariant, TakesPartsOfNamesAndPrefersGguf) {
  EXPECT_EQ(kimi("Q4").variant, "UD-Q4_K_XL");
  EXPECT_EQ(kimi("q8_k").variant, "UD-Q8_K_XL");
  EXPECT_EQ(card_of(shipped(), "kimi-k2.6", "Q").error().code, Code::not_found);
  EXPECT_EQ(card_of(shipped(), "kimi", "Q4").error().code, Code::not_found);
}

Observation seen(std::string chip, std::string kernels, std::string model, double log_ratio,
                 bool mixture = false) {
  return {.key = {.chip = chip,
                  .backend = "metal",
                  .kernels = kernels,
                  .generation = "",
                  .architecture = model,
                  .mixture = mixture},
          .log_ratio = log_ratio,
          .id = chip + kernels + model};
}

TEST(Calibration, IsSureOfWhatItHasSeenAndUnsureOfTheRest) {
  std::vector<Observation> rows;
  for (int i = 0; i < 3; ++i) rows.push_back(seen("a", "k", "m", 0.7));
  const Calibration calibration = Calibration::build(rows);
  const auto same = calibration.correct(rows[0].key);
  ASSERT_TRUE(same);
  EXPECT_NEAR(same->log_mean, 0.7, 0.03);
  EXPECT_LT(same->log_sd, 0.2);
  KernelKey other_chip = rows[0].key;
  other_chip.chip = "b";
  const auto unsure = calibration.correct(other_chip);
  ASSERT_TRUE(unsure);
  EXPECT_GT(unsure->log_sd, 2 * same->log_sd);
  EXPECT_GT(unsure->log_mean, 0.2);  // pulled towards what is known
  EXPECT_FALSE(same->evidence.empty());
}

TEST(Calibration, SaysUnknownRatherThanGuess) {
  const Calibration calibration = Calibration::build({seen("a", "k", "m", 0.1)});
  KernelKey key = seen("a", "other", "m", 0).key;
  EXPECT_FALSE(calibration.correct(key));  // other kernels
  key = seen("a", "k", "m2", 0, true).key;
  EXPECT_FALSE(calibration.correct(key));  // a mixture, only dense ones seen
  key = seen("z", "k", "m2", 0).key;
  key.backend = "abacus";
  EXPECT_FALSE(calibration.correct(key));  // neither chip nor backend seen
  EXPECT_FALSE(Calibration().correct(key));
}

TEST(Calibration, OwnRunsOutweighPublishedOnes) {
  Observation published = seen("a", "k", "m", 0.5);
  Observation own = seen("a", "k", "m", -0.1);
  own.own = true;
  const Calibration calibration = Calibration::build({published, own});
  EXPECT_NEAR(calibration.correct(own.key)->log_mean, -0.05, 0.06);
}

// The promise of docs/cost_model.md. If a change of the model breaks it, the change is wrong or the
// promise must be withdrawn there.
TEST(Accuracy, HoldsWhatTheDocumentationPromises) {
  const AccuracyReport report = accuracy_left_out(shipped());
  EXPECT_GE(report.prefill.n, 100u);
  EXPECT_GE(report.decode.n, 115u);
  EXPECT_LE(report.prefill.median_abs_error, 0.15);
  EXPECT_LE(report.prefill.p90_abs_error, 0.35);
  EXPECT_LE(report.decode.median_abs_error, 0.15);
  EXPECT_LE(report.decode.p90_abs_error, 0.35);
  EXPECT_GE(report.prefill.inside_interval, 0.8);  // intervals may be wide, never too narrow
  EXPECT_GE(report.decode.inside_interval, 0.8);
}

TEST(Accuracy, NeverLearnsFromThePairItPredicts) {
  Catalog catalog = shipped();
  const AccuracyReport before = accuracy_left_out(catalog);
  // Make one pair absurdly fast: predictions of its own rows must not move, others may.
  for (Measurement& row : catalog.measurements) {
    if (row.hardware == "mac-studio-m2-ultra-192" && row.prefill_tok_s) *row.prefill_tok_s *= 100;
  }
  const AccuracyReport after = accuracy_left_out(catalog);
  const auto predicted = [](const AccuracyReport& report, std::string_view id) {
    for (const PredictedRow& row : report.rows) {
      if (row.id == id && row.phase == Phase::prefill) return row.predicted_tok_s;
    }
    return 0.0;
  };
  const std::string_view id = "m2ultra-ds4-v4flash-q2-8192";
  EXPECT_GT(predicted(before, id), 0);
  EXPECT_DOUBLE_EQ(predicted(before, id), predicted(after, id));
  EXPECT_NE(predicted(before, "m3ultra60-ds4-v4flash-q2-8192"),
            predicted(after, "m3ultra60-ds4-v4flash-q2-8192"));
}

TEST(Accuracy, ANamedFileIsOnlyPredicted) {
  std::vector<Measurement> rows = {*std::ranges::find(
      shipped().measurements, "m3ultra-llamacpp-kimi27code-q3-7120", &Measurement::id)};
  const AccuracyReport as_published = accuracy_of(shipped(), rows);
  *rows[0].prefill_tok_s *= 10;
  const AccuracyReport inflated = accuracy_of(shipped(), rows);
  ASSERT_EQ(as_published.prefill.n, 1u);
  ASSERT_EQ(inflated.rows.size(), 2u);
  for (const PredictedRow& before : as_published.rows) {
    for (const PredictedRow& after : inflated.rows) {
      if (before.phase != after.phase) continue;
      EXPECT_DOUBLE_EQ(before.predicted_tok_s, after.predicted_tok_s);
    }
  }
}

TEST(Accuracy, SameInputSameBytes) {
  const std::string once = accuracy_text(accuracy_left_out(shipped()));
  EXPECT_EQ(once, accuracy_text(accuracy_left_out(shipped())));
  for (const char c : once) EXPECT_GE(c, '\n');
  std::size_t begin = 0;
  for (std::size_t end = once.find('\n'); end != std::string::npos; end = once.find('\n', begin)) {
    EXPECT_LE(end - begin, 100u) << once.substr(begin, end - begin);
    begin = end + 1;
  }
}

}  // namespace
}  // namespace hearth::plan
