#include "hearth/plan/cost/shape_card.h"

#include <gtest/gtest.h>

#include "hearth/plan/catalog/load.h"
#include "hearth/plan/cost/formulas.h"

namespace hearth::plan {
namespace {

// Kimi K2.6 as its GGUF describes it: the card made from it must equal the catalogue's arithmetic.
model::ModelShape kimi_shape() {
  model::ModelShape shape;
  shape.architecture = "deepseek2";
  shape.name = "Kimi K2.6";
  shape.layers = 61;
  shape.embedding = 7168;
  shape.heads = 64;
  shape.context_length = 262144;
  shape.vocabulary = 163840;
  shape.kv_kind = model::KvKind::mla;
  shape.mla = model::MlaShape{.kv_lora_rank = 512,
                              .q_lora_rank = 1536,
                              .rope_values = 64,
                              .nope_values = 128,
                              .v_values = 128};
  shape.experts = model::ExpertShape{
      .count = 384, .used = 8, .shared = 1, .leading_dense_layers = 1, .feed_forward = 2048};
  shape.layer_kv.assign(61, model::LayerKv{.k_values = 576});
  shape.parameters_total = 1026410000000;
  shape.parameters_active = 31690000000;
  shape.weights.layers.assign(61,
                              model::LayerWeights{.bytes = 9690000000, .expert_bytes = 9520000000});
  shape.weights.layers[0].expert_bytes = 0;
  shape.weights.layers[0].bytes = 600000000;
  shape.weights.embedding = 1250000000;
  shape.weights.output = 1250000000;
  return shape;
}

TEST(CardOfShape, AgreesWithTheCatalogue) {
  const Catalog catalog = *load_shipped();
  const Result<ModelCard> card = card_of_shape(kimi_shape(), catalog, "UD-Q4_K_XL");
  ASSERT_TRUE(card) << card.error().message;
  const ModelCard listed = *card_of(catalog, "kimi-k2.6", "UD-Q4_K_XL");
  EXPECT_EQ(card->architecture, "kimi-k2.6");  // so that its measurements count
  EXPECT_DOUBLE_EQ(card->attention_flop, listed.attention_flop);
  EXPECT_DOUBLE_EQ(card->attention_flop_absorbed, listed.attention_flop_absorbed);
  EXPECT_DOUBLE_EQ(card->kv_up_flop, listed.kv_up_flop);
  EXPECT_EQ(card->kv_bytes_per_token_f16, 70272u);
  EXPECT_EQ(card->kv_bytes_per_token_q8_0, 37332u);
  EXPECT_NEAR(card->linear_flop_per_token, listed.linear_flop_per_token,
              0.01 * listed.linear_flop_per_token);
  EXPECT_NEAR(static_cast<double>(total_bytes(*card)), static_cast<double>(total_bytes(listed)),
              0.01 * static_cast<double>(total_bytes(listed)));
  EXPECT_NEAR(decode_read_bytes(*card, 1), decode_read_bytes(listed, 1),
              0.06 * decode_read_bytes(listed, 1));
}

TEST(CardOfShape, SlidingLayersKeepTheirWindowAndTiedTablesCountOnce) {
  model::ModelShape shape;
  shape.architecture = "gemma3";
  shape.layers = 4;
  shape.embedding = 64;
  shape.heads = 2;
  shape.head_k = shape.head_v = 32;
  shape.vocabulary = 100;
  shape.kv_kind = model::KvKind::sliding_window;
  shape.layer_kv.assign(4, model::LayerKv{.k_values = 32, .v_values = 32, .window_tokens = 128});
  shape.layer_kv[3].window_tokens = 0;
  shape.weights.layers.assign(4, model::LayerWeights{.bytes = 1000});
  shape.weights.embedding = 500;
  shape.weights.output = 7;
  shape.weights.tied_embedding = true;
  const Result<ModelCard> card = card_of_shape(shape, *load_shipped(), "tiny");
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_DOUBLE_EQ(kv_bytes(*card, KvType::f16, 1000), 128.0 * (1000 + 3 * 128));
  EXPECT_EQ(total_bytes(*card), 4507u);
  EXPECT_DOUBLE_EQ(decode_read_bytes(*card, 1), 4507);
  EXPECT_EQ(card->architecture, "file:gemma3:");
}

TEST(CardOfShape, RefusesWhatNobodyEstablished) {
  model::ModelShape shape = kimi_shape();
  shape.kv_kind = model::KvKind::unknown;
  const Result<ModelCard> card = card_of_shape(shape, *load_shipped(), "x");
  ASSERT_FALSE(card);
  EXPECT_EQ(card.error().code, Code::unsupported);
}

}  // namespace
}  // namespace hearth::plan
