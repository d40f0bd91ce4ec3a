#include "hearth/model/shards.h"

#include <gtest/gtest.h>

#include "hearth/base/file.h"
#include "support/model_files.h"

namespace hearth::model {
namespace {

using hearth::testing::GgufWriter;
using hearth::testing::shard_of;

struct NameCase {
  const char* text;
  std::optional<ShardName> name;
};

TEST(Shards, NamesAreReadAndWritten) {
  const NameCase cases[] = {
      {"a-00001-of-00002.gguf", ShardName{"a", 1, 2}},
      {"Kimi-K2.6-00013-of-00013.gguf", ShardName{"Kimi-K2.6", 13, 13}},
      {"a-00000-of-00002.gguf", std::nullopt},
      {"a-00003-of-00002.gguf", std::nullopt},
      {"a-1-of-2.gguf", std::nullopt},
      {"a-00001-of-99999.gguf", std::nullopt},
      {"a-00001-of-00002.bin", std::nullopt},
      {"a.gguf", std::nullopt},
      {"-of-.gguf", std::nullopt},
      {"", std::nullopt},
  };
  for (const NameCase& c : cases) {
    const auto name = parse_shard_name(c.text);
    EXPECT_EQ(name, c.name) << c.text;
    if (name) {
      EXPECT_EQ(shard_file_name(*name), c.text);
    }
  }
}

GgufWriter split(std::uint16_t number, std::uint16_t count, std::int32_t tensors) {
  GgufWriter writer;
  if (number == 0) writer.text("general.architecture", "llama").u32("llama.block_count", 1);
  writer.number("split.no", GgufType::u16, number).number("split.count", GgufType::u16, count);
  writer.number("split.tensors.count", GgufType::i32, tensors);
  writer.tensor("t" + std::to_string(number), 0, {8});
  return writer;
}

class ShardFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = TemporaryDirectory::create("hearth-shards");
    ASSERT_TRUE(made.has_value());
    directory_.emplace(*std::move(made));
  }
  std::filesystem::path write(std::uint32_t number, std::uint32_t count, const GgufWriter& writer) {
    const auto path = directory_->path() / shard_file_name({"m", number, count});
    const Bytes bytes = writer.whole();
    const ByteSpan part = bytes;
    const auto written = real_file_system()->write_atomically(path, std::span(&part, 1),
                                                              Durability::survives_process);
    EXPECT_TRUE(written.has_value());
    return path;
  }
  std::optional<TemporaryDirectory> directory_;
};

TEST_F(ShardFiles, AnyShardNamesTheWholeModel) {
  write(1, 3, split(0, 3, 3));
  write(2, 3, split(1, 3, 3));
  const auto last = write(3, 3, split(2, 3, 3));
  const auto files = load_model_files(last);
  ASSERT_TRUE(files.has_value()) << files.error().message;
  ASSERT_EQ(files->shards.size(), 3U);
  EXPECT_EQ(files->shards[0].path.filename(), "m-00001-of-00003.gguf");
  ASSERT_EQ(files->tensors.size(), 3U);
  EXPECT_EQ(files->tensors[2].tensor.name, "t2");
  EXPECT_EQ(files->tensors[2].shard, 2U);
  EXPECT_NE(find_value(files->metadata(), "llama.block_count"), nullptr);
}

TEST_F(ShardFiles, MissingShardsAreListed) {
  const auto path = write(2, 4, split(1, 4, 4));
  write(3, 4, split(2, 4, 4));
  const auto files = load_model_files(path);
  ASSERT_FALSE(files.has_value());
  EXPECT_EQ(files.error().code, Code::not_found);
  for (const char* name : {"m-00001-of-00004.gguf", "m-00004-of-00004.gguf", "2 of 4"}) {
    EXPECT_NE(files.error().message.find(name), std::string::npos) << files.error().message;
  }
  EXPECT_EQ(files.error().message.find("m-00002"), std::string::npos);
}

TEST_F(ShardFiles, ARenamedShardOfASplitModelIsNoModel) {
  const auto path = write(1, 3, split(0, 3, 3));
  const auto alone = directory_->path() / "alone.gguf";
  std::filesystem::rename(path, alone);
  const auto files = load_model_files(alone);
  ASSERT_FALSE(files.has_value());
  EXPECT_EQ(files.error().code, Code::corrupt);
}

TEST(Shards, ContradictionsAreRefused) {
  struct Case {
    const char* what;
    GgufWriter second;
  };
  GgufWriter foreign = split(1, 2, 2);
  foreign.text("general.architecture", "qwen3");
  GgufWriter more = split(1, 2, 2);
  more.u32("llama.extra", 1);
  GgufWriter twin = split(1, 2, 3);
  twin.tensor("t0", 0, {8});
  const Case cases[] = {
      {"split.count", split(1, 3, 2)},   {"split.no", split(0, 2, 2)},
      {"split.tensors", split(1, 2, 9)}, {"general.architecture", foreign},
      {"llama.extra", more},
  };
  for (const Case& c : cases) {
    std::vector<ModelShard> shards;
    shards.push_back(shard_of(split(0, 2, 2), "m-00001-of-00002.gguf"));
    shards.push_back(shard_of(c.second, "m-00002-of-00002.gguf"));
    const auto files = merge_shards(std::move(shards));
    ASSERT_FALSE(files.has_value()) << c.what;
    EXPECT_EQ(files.error().code, Code::corrupt);
    EXPECT_NE(files.error().message.find("00002-of"), std::string::npos);
  }
  std::vector<ModelShard> shards;
  shards.push_back(shard_of(split(0, 2, 3), "a"));
  shards.push_back(shard_of(twin, "b"));
  EXPECT_FALSE(merge_shards(std::move(shards)).has_value());
}

}  // namespace
}  // namespace hearth::model
