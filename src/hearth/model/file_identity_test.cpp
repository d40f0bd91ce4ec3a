#include <gtest/gtest.h>

#include <array>

#include "hearth/base/file.h"
#include "hearth/model/layout_identity.h"
#include "support/model_files.h"

namespace hearth::model {
namespace {

using hearth::testing::files_of;
using hearth::testing::GgufWriter;
using hearth::testing::shard_of;

GgufWriter model(std::string_view name = "m") {
  GgufWriter w;
  w.text("general.architecture", "llama").text("general.name", name);
  w.texts("tokenizer.ggml.tokens", {"a", "b"});
  return w;
}

GgufWriter with_tensors(GgufWriter w) {
  w.tensor("token_embd.weight", 0, {8, 2}).tensor("output.weight", 0, {8, 2});
  return w;
}

TEST(FileIdentity, WhereAFileComesFromDoesNotMatter) {
  const Digest256 plain = gguf_identity(files_of(with_tensors(model())));
  GgufWriter published = model();
  published.text("general.author", "x").text("general.repo_url", "https://example.org");
  published.text("tokenizer.chat_template", "{{ messages }}").text("quantize.imatrix.file", "f");
  published.alignment(64);
  EXPECT_EQ(gguf_identity(files_of(with_tensors(published))), plain);
}

TEST(FileIdentity, WhatIsComputedMatters) {
  const Digest256 plain = gguf_identity(files_of(with_tensors(model())));
  GgufWriter rope = model();
  rope.f32("llama.rope.freq_base", 5e5F);
  GgufWriter shape = model();
  shape.tensor("token_embd.weight", 0, {8, 3}).tensor("output.weight", 0, {8, 2});
  GgufWriter type = model();
  type.tensor("token_embd.weight", 1, {8, 2}).tensor("output.weight", 0, {8, 2});
  for (const GgufWriter& w : {with_tensors(model("n")), with_tensors(rope), shape, type}) {
    EXPECT_NE(gguf_identity(files_of(w)), plain);
  }
}

TEST(FileIdentity, SplittingAModelKeepsItsIdentity) {
  GgufWriter whole = with_tensors(model());
  GgufWriter first = model();
  GgufWriter second;
  for (std::uint16_t number : {std::uint16_t{0}, std::uint16_t{1}}) {
    GgufWriter& w = number == 0 ? first : second;
    w.number("split.no", GgufType::u16, number).number("split.count", GgufType::u16, std::uint16_t{2});
    w.number("split.tensors.count", GgufType::i32, std::int32_t{2});
  }
  first.tensor("output.weight", 0, {8, 2});
  second.tensor("token_embd.weight", 0, {8, 2});
  std::vector<ModelShard> shards;
  shards.push_back(shard_of(first, "a"));
  shards.push_back(shard_of(second, "b"));
  const auto files = merge_shards(std::move(shards));
  ASSERT_TRUE(files.has_value()) << files.error().message;
  EXPECT_EQ(gguf_identity(*files), gguf_identity(files_of(whole)));
}

TEST(FileIdentity, TheTokenizerIsItsOwnDigest) {
  GgufWriter other = model("another name");
  other.text("tokenizer.chat_template", "x");
  EXPECT_EQ(tokenizer_digest(files_of(other).metadata()), tokenizer_digest(files_of(model()).metadata()));
  GgufWriter pre = model();
  pre.text("tokenizer.ggml.pre", "kimi-k2");
  EXPECT_NE(tokenizer_digest(files_of(pre).metadata()), tokenizer_digest(files_of(model()).metadata()));
}

// One changed weight in the middle of a tensor.
TEST(FileIdentity, AFineTuneUnderTheSameNameHasAnotherFingerprint) {
  auto directory = TemporaryDirectory::create("hearth-identity");
  ASSERT_TRUE(directory.has_value());
  const Bytes original = with_tensors(model()).whole();
  Bytes tuned = original;
  tuned[tuned.size() - 32] ^= std::byte{1};
  std::vector<Digest256> identities;
  std::vector<Digest256> fingerprints;
  const std::array<const Bytes*, 3> versions{&original, &tuned, &original};
  for (const Bytes* bytes : versions) {
    const auto path = directory->path() / "m.gguf";
    const ByteSpan part = *bytes;
    ASSERT_TRUE(real_file_system()
                    ->write_atomically(path, std::span(&part, 1), Durability::survives_process)
                    .has_value());
    const auto files = load_model_files(path);
    ASSERT_TRUE(files.has_value()) << files.error().message;
    identities.push_back(gguf_identity(*files));
    const auto fingerprint = weights_fingerprint(*files);
    ASSERT_TRUE(fingerprint.has_value()) << fingerprint.error().message;
    fingerprints.push_back(*fingerprint);
  }
  EXPECT_EQ(identities[0], identities[1]);
  EXPECT_NE(fingerprints[0], fingerprints[1]);
  EXPECT_EQ(fingerprints[0], fingerprints[2]);
}

}  // namespace
}  // namespace hearth::model
