#include "hearth/model/shape.h"

#include <gtest/gtest.h>

#include <numeric>

#include "support/kimi_header.h"
#include "support/model_files.h"

namespace hearth::model {
namespace {

using hearth::testing::files_of;
using hearth::testing::GgufWriter;
using hearth::testing::kimi_header;

std::uint64_t kv(const ModelShape& shape, KvType type) {
  const auto bytes = kv_bytes_per_token(shape, type);
  EXPECT_TRUE(bytes.has_value());
  return bytes.value_or(0);
}

// A decoder of `layers` layers with the tensors read_shape insists on.
struct Plain {
  const char* architecture;
  std::uint32_t layers;
  std::uint32_t embedding;
  std::uint32_t heads;
  std::uint32_t kv_heads;
  std::uint32_t head;
};

GgufWriter plain_header(const Plain& p) {
  GgufWriter w;
  const std::string a = std::string(p.architecture) + ".";
  w.text("general.architecture", p.architecture).u32(a + "block_count", p.layers);
  w.u32(a + "embedding_length", p.embedding).u32(a + "attention.head_count", p.heads);
  w.u32(a + "attention.head_count_kv", p.kv_heads);
  w.u32(a + "attention.key_length", p.head).u32(a + "attention.value_length", p.head);
  w.tensor("token_embd.weight", 1, {p.embedding, 1'000});
  return w;
}

Result<ModelShape> shape_of(const GgufWriter& w) { return read_shape(files_of(w)); }

TEST(Shape, KimiK26ComesOutRight) {
  const auto shape = shape_of(kimi_header());
  ASSERT_TRUE(shape.has_value()) << shape.error().message;
  EXPECT_EQ(shape->name, "Kimi-K2.6");
  EXPECT_EQ(shape->kv_kind, KvKind::mla);
  EXPECT_EQ(shape->layers, 61U);
  EXPECT_EQ(shape->mla, (MlaShape{512, 1'536, 64, 128, 128}));
  EXPECT_EQ(shape->experts, (ExpertShape{384, 8, 1, 1, 2'048}));
  EXPECT_EQ(shape->vocabulary, 163'840U);
  EXPECT_EQ(shape->context_length, 262'144U);
  EXPECT_EQ(shape->rope.frequency_base, 50'000.0);
  EXPECT_EQ(kv(*shape, KvType::f16), 70'272U);
  EXPECT_EQ(kv(*shape, KvType::q8_0), 37'332U);
  EXPECT_NEAR(static_cast<double>(shape->parameters_total), 1.026e12, 0.001e12);
  EXPECT_NEAR(static_cast<double>(shape->parameters_active), 31.5e9, 0.3e9);
}

TEST(Shape, KimiBytesMatchThePublishedFiles) {
  // Q4_0 experts, the rest Q8_0: the UD-Q4_K_XL file of 584 GB reads 23.1 GB per token.
  const auto q4 = shape_of(kimi_header({.experts = 2, .rest = 8}));
  // Q4_0 experts, the rest BF16: UD-Q8_K_XL, 595 GB, 33.0 GB. Those
  // figures count the router in the type of the rest; files keep it in f32, 165 M values a token.
  const auto q8 = shape_of(kimi_header({.experts = 2, .rest = 30}));
  ASSERT_TRUE(q4.has_value() && q8.has_value());
  EXPECT_NEAR(static_cast<double>(q4->weights_bytes), 584e9, 3e9);
  EXPECT_NEAR(static_cast<double>(q8->weights_bytes), 595e9, 3e9);
  EXPECT_NEAR(static_cast<double>(q4->bytes_per_decoded_token), 23.1e9 + 165e6 * (4 - 34.0 / 32), 0.05e9);
  EXPECT_NEAR(static_cast<double>(q8->bytes_per_decoded_token), 33.0e9 + 165e6 * (4 - 2), 0.05e9);
}

TEST(Shape, EveryByteHasItsPlace) {
  const auto shape = shape_of(kimi_header());
  ASSERT_TRUE(shape.has_value());
  const WeightBytes& weights = shape->weights;
  ASSERT_EQ(weights.layers.size(), 61U);
  std::uint64_t sum = weights.embedding + weights.output + weights.other + weights.prediction;
  for (const LayerWeights& layer : weights.layers) sum += layer.bytes;
  EXPECT_EQ(sum, shape->weights_bytes);
  EXPECT_EQ(weights.layers[0].expert_bytes, 0U);
  EXPECT_EQ(weights.layers[1].expert_bytes, 3ULL * 7'168 * 2'048 * 384 / 32 * 18);
  EXPECT_EQ(weights.layers[1].bytes, weights.layers[60].bytes);
  std::uint64_t tensors = 0;
  for (const TensorTypeTotal& total : shape->tensor_types) tensors += total.tensors;
  EXPECT_EQ(tensors, 1'096U);
  EXPECT_EQ(shape->tensor_types.front().type, 2U);
}

struct KvCase {
  Plain plain;
  std::uint64_t f16;
};

TEST(Shape, GroupedAttentionKvMatchesKnownModels) {
  const KvCase cases[] = {
      {{"llama", 32, 4'096, 32, 8, 128}, 131'072},     // Llama-3.1-8B
      {{"llama", 80, 8'192, 64, 8, 128}, 327'680},     // Llama-3.1-70B
      {{"qwen3moe", 94, 4'096, 64, 4, 128}, 192'512},  // Qwen3-235B-A22B
      {{"qwen3moe", 48, 2'048, 32, 4, 128}, 98'304},   // Qwen3-30B-A3B
      {{"gpt-oss", 36, 2'880, 64, 8, 64}, 73'728},     // gpt-oss-120b
      {{"gpt-oss", 24, 2'880, 64, 8, 64}, 49'152},     // gpt-oss-20b
  };
  for (const KvCase& c : cases) {
    GgufWriter w = plain_header(c.plain);
    if (std::string_view(c.plain.architecture) == "gpt-oss") {
      w.u32("gpt-oss.attention.sliding_window", 128);
    }
    const auto shape = shape_of(w);
    ASSERT_TRUE(shape.has_value()) << shape.error().message;
    EXPECT_EQ(kv(*shape, KvType::f16), c.f16) << c.plain.architecture << c.plain.layers;
  }
}

TEST(Shape, HalfOfGptOssKeepsAWindow) {
  GgufWriter w = plain_header({"gpt-oss", 36, 2'880, 64, 8, 64});
  w.u32("gpt-oss.attention.sliding_window", 128);
  const auto shape = shape_of(w);
  ASSERT_TRUE(shape.has_value());
  EXPECT_EQ(shape->kv_kind, KvKind::sliding_window);
  EXPECT_EQ(shape->layer_kv[0].window_tokens, 128U);
  EXPECT_EQ(shape->layer_kv[1].window_tokens, 0U);
  const auto at_1000 = kv_bytes(*shape, KvType::f16, 1'000);
  ASSERT_TRUE(at_1000.has_value());
  EXPECT_EQ(*at_1000, 36'864U * 1'000 + 36'864U * 128);
}

TEST(Shape, AFileMaySayWhichLayersSlide) {
  GgufWriter w = plain_header({"gemma3", 4, 256, 4, 1, 64});
  w.u32("gemma3.attention.sliding_window", 512);
  w.numbers<std::uint8_t>("gemma3.attention.sliding_window_pattern", GgufType::boolean, {1, 0, 1, 1});
  const auto shape = shape_of(w);
  ASSERT_TRUE(shape.has_value());
  EXPECT_EQ(shape->layer_kv[1].window_tokens, 0U);
  EXPECT_EQ(shape->layer_kv[3].window_tokens, 512U);
}

TEST(Shape, HybridLayersKeepAStateInsteadOfCells) {
  // Qwen3.5-397B-A17B: 60 layers, every fourth attends; 30,720 B per token and 195 MB of state.
  GgufWriter w = plain_header({"qwen35moe", 60, 4'096, 32, 2, 256});
  w.u32("qwen35moe.full_attention_interval", 4).u32("qwen35moe.ssm.conv_kernel", 4);
  w.u32("qwen35moe.ssm.inner_size", 8'192).u32("qwen35moe.ssm.state_size", 128);
  w.u32("qwen35moe.ssm.group_count", 16);
  const auto shape = shape_of(w);
  ASSERT_TRUE(shape.has_value()) << shape.error().message;
  EXPECT_EQ(shape->kv_kind, KvKind::hybrid);
  EXPECT_EQ(shape->layer_kv[2].k_values, 0U);
  EXPECT_EQ(shape->layer_kv[3].k_values, 512U);
  EXPECT_EQ(kv(*shape, KvType::f16), 30'720U);
  EXPECT_NEAR(static_cast<double>(shape->recurrent_state_bytes), 195e6, 1e6);
}

TEST(Shape, OldDeepSeekFilesExpandKeysPerHead) {
  GgufWriter w = plain_header({"deepseek2", 27, 2'048, 16, 16, 192});
  w.u32("deepseek2.attention.kv_lora_rank", 512).u32("deepseek2.rope.dimension_count", 64);
  const auto shape = shape_of(w);
  ASSERT_TRUE(shape.has_value());
  EXPECT_FALSE(shape->mla.has_value());
  EXPECT_EQ(shape->kv_kind, KvKind::attention);
  EXPECT_EQ(shape->layer_kv[0].k_values, 16U * 192);
}

TEST(Shape, DeepSeek32KeepsAnIndexerRow) {
  GgufWriter w = plain_header({"deepseek32", 2, 256, 8, 1, 576});
  w.u32("deepseek32.attention.kv_lora_rank", 512).u32("deepseek32.rope.dimension_count", 64);
  w.u32("deepseek32.attention.key_length_mla", 192).u32("deepseek32.attention.value_length_mla", 128);
  w.u32("deepseek32.attention.indexer.key_length", 128);
  const auto shape = shape_of(w);
  ASSERT_TRUE(shape.has_value()) << shape.error().message;
  EXPECT_EQ(shape->kv_kind, KvKind::mla);
  EXPECT_EQ(kv(*shape, KvType::f16), 2U * (1'152 + 256));
}

TEST(Shape, ATiedHeadIsReadWhole) {
  const auto tied = shape_of(plain_header({"qwen2", 1, 256, 4, 2, 64}));
  GgufWriter w = plain_header({"qwen2", 1, 256, 4, 2, 64});
  w.tensor("output.weight", 1, {256, 1'000});
  const auto own = shape_of(w);
  ASSERT_TRUE(tied.has_value() && own.has_value());
  EXPECT_TRUE(tied->weights.tied_embedding);
  EXPECT_EQ(tied->bytes_per_decoded_token, 512U * 1'000);
  EXPECT_FALSE(own->weights.tied_embedding);
  EXPECT_EQ(own->bytes_per_decoded_token, 512U * 1'000 + 512);
  EXPECT_EQ(own->parameters_active, 256'000U);
}

TEST(Shape, OldMixtralExpertsAreExperts) {
  GgufWriter w = plain_header({"llama", 1, 256, 4, 2, 64});
  w.u32("llama.expert_count", 4).u32("llama.expert_used_count", 2);
  for (int e = 0; e < 4; ++e) {
    w.tensor("blk.0.ffn_gate." + std::to_string(e) + ".weight", 1, {256, 100});
  }
  const auto shape = shape_of(w);
  ASSERT_TRUE(shape.has_value());
  EXPECT_EQ(shape->weights.layers[0].expert_bytes, 4U * 51'200);
  EXPECT_EQ(shape->bytes_per_decoded_token, 512'000U + 2 * 51'200);
}

TEST(Shape, PredictionLayersAreCountedApart) {
  GgufWriter w = plain_header({"glm4moe", 3, 256, 4, 2, 64});
  w.u32("glm4moe.nextn_predict_layers", 1).tensor("blk.2.attn_q.weight", 1, {256, 256});
  const auto shape = shape_of(w);
  ASSERT_TRUE(shape.has_value());
  EXPECT_EQ(shape->layers, 2U);
  EXPECT_EQ(shape->weights.prediction, 131'072U);
  EXPECT_EQ(shape->layer_kv.size(), 2U);
}

struct RefusedCase {
  const char* says;
  Code code;
  GgufWriter writer;
};

TEST(Shape, WhatCannotBeMeasuredIsRefusedByName) {
  GgufWriter no_architecture;
  no_architecture.u32("llama.block_count", 1);
  GgufWriter no_embedding;
  no_embedding.text("general.architecture", "llama").u32("llama.block_count", 1);
  GgufWriter wide = plain_header({"llama", 1, 256, 4, 2, 64});
  wide.tensor("blk.1.attn_q.weight", 1, {256, 256});
  GgufWriter experts = plain_header({"llama", 1, 256, 4, 2, 64});
  experts.u32("llama.expert_count", 4).u32("llama.expert_used_count", 5);
  const RefusedCase cases[] = {
      {"\"warp9\"", Code::unsupported, plain_header({"warp9", 1, 256, 4, 2, 64})},
      {"general.architecture", Code::corrupt, no_architecture},
      {"llama.embedding_length", Code::corrupt, no_embedding},
      {"block_count", Code::corrupt, plain_header({"llama", 100'000, 256, 4, 2, 64})},
      {"block_count", Code::corrupt, wide},
      {"5 of 4", Code::corrupt, experts},
      {"KV row", Code::corrupt, plain_header({"llama", 1, 256, 4, 4'000'000, 4'000'000})},
  };
  for (const RefusedCase& c : cases) {
    const auto shape = shape_of(c.writer);
    ASSERT_FALSE(shape.has_value()) << c.says;
    EXPECT_EQ(shape.error().code, c.code) << shape.error().message;
    EXPECT_NE(shape.error().message.find(c.says), std::string::npos) << shape.error().message;
    EXPECT_TRUE(shape.error().message.starts_with("model.gguf"));
  }
}

TEST(Shape, UnknownKindsStillHaveWeights) {
  const auto shape = shape_of(plain_header({"minimax-m3", 2, 256, 4, 2, 64}));
  ASSERT_TRUE(shape.has_value());
  EXPECT_EQ(shape->kv_kind, KvKind::unknown);
  EXPECT_EQ(shape->weights_bytes, 512'000U);
}

}  // namespace
}  // namespace hearth::model
