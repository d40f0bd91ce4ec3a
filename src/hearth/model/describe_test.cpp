#include "hearth/model/describe.h"

#include <gtest/gtest.h>

#include "support/kimi_header.h"
#include "support/model_files.h"

namespace hearth::model {
namespace {

using hearth::testing::files_of;
using hearth::testing::kimi_header;

TEST(Describe, TheJsonHasWhatProgramsReadFirst) {
  const ModelFiles files = files_of(kimi_header(), "/models/Kimi-K2.6.gguf");
  const auto shape = read_shape(files);
  ASSERT_TRUE(shape.has_value());
  const Json json = model_json(files, *shape);
  const std::vector<std::string> first{
      "architecture", "name", "parameters_total", "parameters_active", "layers",
      "kv_bytes_per_token", "bytes_per_decoded_token", "shards"};
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_EQ(json.as_object()[i].first, first[i]);
  EXPECT_EQ(*json.find("kv_bytes_per_token"), Json::object({{"f16", 70'272}, {"q8_0", 37'332}}));
  const Json& shard = json.find("shards")->as_array().at(0);
  EXPECT_EQ(shard.find("file")->as_string(), "Kimi-K2.6.gguf");
  EXPECT_EQ(static_cast<std::uint64_t>(shard.find("bytes")->as_integer()), files.shards[0].bytes);
  EXPECT_EQ(json.find("mla")->find("kv_lora_rank")->as_integer(), 512);
  EXPECT_EQ(json.find("experts")->find("used")->as_integer(), 8);
  const Json& type = json.find("tensor_types")->as_array().at(0);
  EXPECT_EQ(type.find("type")->as_string(), "q4_0");
  EXPECT_EQ(type.find("tensors")->as_integer(), 180);
  EXPECT_TRUE(parse_json(dump_json(json)).has_value());
}

TEST(Describe, WhatAModelHasNotIsNull) {
  hearth::testing::GgufWriter w;
  w.text("general.architecture", "llama").u32("llama.block_count", 1);
  w.u32("llama.embedding_length", 80).u32("llama.attention.head_count", 2);
  w.tensor("token_embd.weight", 0, {80, 4});
  const ModelFiles files = files_of(w);
  const auto shape = read_shape(files);
  ASSERT_TRUE(shape.has_value()) << shape.error().message;
  const Json json = model_json(files, *shape);
  EXPECT_TRUE(json.find("mla")->is_null());
  EXPECT_TRUE(json.find("experts")->is_null());
  EXPECT_TRUE(json.find("kv_bytes_per_token")->find("q8_0")->is_null());  // 80 values a row
  EXPECT_EQ(json.find("kv_bytes_per_token")->find("f16")->as_integer(), 320);
}

TEST(Describe, TheTableNamesTheNumbersPeopleAskFor) {
  const ModelFiles files = files_of(kimi_header(), "/models/Kimi-K2.6.gguf");
  const auto shape = read_shape(files);
  ASSERT_TRUE(shape.has_value());
  const std::string text = model_text(files, *shape);
  for (const char* part : {"Kimi-K2.6", "deepseek2", "70272 B (f16)", "1.026 T", "8 of 384", "q4_0",
                           "Kimi-K2.6.gguf (58"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

}  // namespace
}  // namespace hearth::model
