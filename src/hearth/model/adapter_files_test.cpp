// A small base model in memory and adapters on disk, each with one fault.

#include "hearth/model/adapter_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "hearth/base/file.h"
#include "support/model_files.h"

namespace hearth::model {
namespace {

using hearth::testing::files_of;
using hearth::testing::GgufWriter;
using ::testing::HasSubstr;

constexpr std::uint32_t f32 = 0, f16 = 1, i32 = 26;

GgufWriter base_header() {
  GgufWriter w;
  w.text("general.architecture", "llama").u32("llama.block_count", 3).u32("llama.embedding_length", 64);
  w.u32("llama.attention.head_count", 4).u32("llama.attention.head_count_kv", 2);
  w.u32("llama.attention.key_length", 16).u32("llama.attention.value_length", 16);
  w.tensor("token_embd.weight", f16, {64, 100}).tensor("output_norm.weight", f32, {64});
  w.tensor("output.weight", f16, {64, 100});
  for (int layer = 0; layer < 3; ++layer) {
    const std::string at = "blk." + std::to_string(layer) + ".";
    w.tensor(at + "attn_norm.weight", f32, {64}).tensor(at + "attn_q.weight", f16, {64, 32});
    w.tensor(at + "attn_k_b.weight", f16, {64, 32}).tensor(at + "ffn_up_exps.weight", f16, {64, 96, 4});
  }
  return w;
}

GgufWriter lora_header(const char* architecture = "llama") {
  GgufWriter w;
  w.text("general.architecture", architecture).text("general.type", "adapter").text("adapter.type", "lora");
  w.f32("adapter.lora.alpha", 8);
  return w;
}

void add_pair(GgufWriter& w, const std::string& name, std::vector<std::uint64_t> a, std::vector<std::uint64_t> b) {
  w.tensor(name + ".lora_a", f32, std::move(a)).tensor(name + ".lora_b", f32, std::move(b));
}

// Of the right shape, with one tensor's factors.
GgufWriter lora_of(const std::string& name, std::vector<std::uint64_t> a, std::vector<std::uint64_t> b) {
  GgufWriter w = lora_header();
  add_pair(w, name, std::move(a), std::move(b));
  return w;
}

GgufWriter vector_header(const char* hint = "llama") {
  GgufWriter w;
  w.text("general.architecture", "controlvector").text("controlvector.model_hint", hint);
  return w;
}

class AdapterFiles : public ::testing::Test {
 protected:
  std::filesystem::path write(ByteSpan bytes) {
    const auto path = directory_.path() / "adapter.gguf";
    EXPECT_TRUE(real_file_system()->write_atomically(path, std::span(&bytes, 1), Durability::survives_process));
    return path;
  }
  Result<Adapter> check(const GgufWriter& w, double scale = 1) {
    const Bytes bytes = w.whole();
    return check_lora({.kind = AdapterKind::lora, .path = write(bytes), .scale = scale}, {base_, shape_});
  }
  Result<ControlVector> read(const GgufWriter& w, std::optional<LayerRange> layers = {}) {
    Bytes bytes = w.whole();
    // The writer's pattern is not one of numbers.
    for (std::size_t at = w.header_only().size(), i = 0; at + sizeof(float) <= bytes.size(); at += sizeof(float), ++i) {
      const float number = 0.25F * static_cast<float>(i % 7 + 1);
      std::memcpy(bytes.data() + at, &number, sizeof(number));
    }
    return read_control_vector({.kind = AdapterKind::control_vector, .path = write(bytes), .scale = 2, .layers = layers},
                               {base_, shape_});
  }
  template <class T>
  static std::string refusal(const Result<T>& checked) {
    return checked ? "" : checked.error().message;
  }

  const ModelFiles base_ = files_of(base_header());
  const ModelShape shape_ = read_shape(base_).value();
  TemporaryDirectory directory_ = TemporaryDirectory::create("hearth-adapters").value();
};

TEST_F(AdapterFiles, TakesALoraThatFits) {
  GgufWriter w = lora_of("blk.0.attn_q.weight", {64, 8}, {8, 32});
  add_pair(w, "blk.2.ffn_up_exps.weight", {64, 8, 4}, {8, 96, 4});
  add_pair(w, "token_embd.weight", {8, 100}, {8, 64});
  const auto checked = check(w, 0.5);
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_EQ(checked->digest, blake2b(w.whole()));
  EXPECT_EQ(checked->scale, 0.5);
}

TEST_F(AdapterFiles, RefusesWhatIsNoAdapterOfThisModel) {
  EXPECT_THAT(refusal(check(base_header())), HasSubstr("not an adapter (general.type is ''"));
  GgufWriter other = lora_header("qwen3moe");
  add_pair(other, "blk.0.attn_q.weight", {64, 8}, {8, 32});
  EXPECT_THAT(refusal(check(other)), HasSubstr("made for the architecture 'qwen3moe', the model is 'llama'"));
  EXPECT_THAT(refusal(check(lora_of("blk.0.attn_q.weight", {128, 8}, {8, 32}))), HasSubstr("is 64 x 32 x 1 in the model"));
  EXPECT_THAT(refusal(check(lora_of("blk.0.attn_q.weight", {64, 8}, {8, 64}))), HasSubstr("the factors are"));
  EXPECT_THAT(refusal(check(lora_of("blk.0.attn_q.weight", {64, 8}, {4, 32}))), HasSubstr("the factors are"));
  EXPECT_THAT(refusal(check(lora_of("blk.0.ffn_up_exps.weight", {64, 8, 3}, {8, 96, 3}))), HasSubstr("64 x 96 x 4"));
  EXPECT_THAT(refusal(check(lora_of("blk.3.attn_q.weight", {64, 8}, {8, 32}))),
              HasSubstr("the model has no tensor blk.3.attn_q.weight"));
}

TEST_F(AdapterFiles, RefusesByNameWhatTheEngineWouldPassOver) {
  GgufWriter norm = lora_of("blk.0.attn_q.weight", {64, 8}, {8, 32});
  norm.tensor("blk.0.attn_norm.weight", f32, {64});
  EXPECT_THAT(refusal(check(norm)), HasSubstr("tensor blk.0.attn_norm.weight is no part of a low-rank update"));
  EXPECT_THAT(refusal(check(lora_of("blk.1.attn_k_b.weight", {64, 8}, {8, 32}))),
              HasSubstr("pass over the update of blk.1.attn_k_b.weight"));
  EXPECT_THAT(refusal(check(lora_of("blk.0.attn_norm.weight", {64, 8}, {8, 1}))), HasSubstr("pass over"));
  GgufWriter half = lora_header();
  half.tensor("blk.0.attn_q.weight.lora_a", f32, {64, 8});
  EXPECT_THAT(refusal(check(half)), HasSubstr("has lora_a but no lora_b"));
  GgufWriter whole_numbers = lora_header();
  whole_numbers.tensor("blk.0.attn_q.weight.lora_a", i32, {64, 8});
  EXPECT_THAT(refusal(check(whole_numbers)), HasSubstr("number format i32"));
  EXPECT_THAT(refusal(check(lora_header())), HasSubstr("no tensors"));
}

TEST_F(AdapterFiles, RefusesAnAlphaThatWouldBeIgnored) {
  for (const float alpha : {0.0F, std::numeric_limits<float>::quiet_NaN()}) {
    GgufWriter w;
    w.text("general.architecture", "llama").text("general.type", "adapter").text("adapter.type", "lora");
    w.f32("adapter.lora.alpha", alpha);
    EXPECT_THAT(refusal(check(w)), HasSubstr("adapter.lora.alpha"));
  }
  GgufWriter w;
  w.text("general.architecture", "llama").text("general.type", "adapter").text("adapter.type", "lora");
  w.u32("adapter.lora.alpha", 16);
  EXPECT_THAT(refusal(check(w)), HasSubstr("of type u32"));
  GgufWriter activated = lora_header();
  activated.numbers<std::int32_t>("adapter.alora.invocation_tokens", GgufType::i32, {1, 2});
  EXPECT_THAT(refusal(check(activated)), HasSubstr("activated LoRA"));
}

TEST_F(AdapterFiles, RefusesDamageByTheFilesName) {
  const Bytes whole = lora_of("blk.0.attn_q.weight", {64, 8}, {8, 32}).whole();
  for (const ByteSpan part : {ByteSpan(whole).first(whole.size() - 100), ByteSpan(whole).first(40), as_byte_span("not GGUF")}) {
    const AdapterFile file{.path = write(part)};
    const auto checked = check_lora(file, {base_, shape_});
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, Code::corrupt);
    EXPECT_THAT(checked.error().message, HasSubstr("adapter.gguf"));
  }
  EXPECT_THAT(refusal(check_lora({.path = "/nowhere/x.gguf"}, {base_, shape_})), HasSubstr("/nowhere/x.gguf"));
}

TEST_F(AdapterFiles, ReadsAControlVectorWithinItsLayers) {
  GgufWriter w = vector_header();
  w.tensor("direction.1", f32, {64}).tensor("direction.2", f32, {64});
  const auto all = read(w);
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->values.size(), 2u * 64);
  EXPECT_EQ(all->identity.layers, (LayerRange{1, 2}));
  const auto last = read(w, LayerRange{2, 2});
  ASSERT_TRUE(last) << last.error().message;
  EXPECT_TRUE(std::ranges::all_of(std::span(last->values).first(64), [](float v) { return v == 0; }));
  EXPECT_TRUE(std::ranges::equal(std::span(last->values).last(64), std::span(all->values).last(64)));
  EXPECT_NE(last->identity, all->identity);
}

TEST_F(AdapterFiles, RefusesAControlVectorOfAnotherModel) {
  const auto with = [](std::string_view name, std::uint32_t type, std::uint64_t width) {
    GgufWriter w = vector_header();
    w.tensor(name, type, {width});
    return w;
  };
  EXPECT_THAT(refusal(read(base_header())), HasSubstr("not a control vector"));
  EXPECT_THAT(refusal(read(vector_header("qwen2"))), HasSubstr("made for the architecture 'qwen2'"));
  EXPECT_THAT(refusal(read(with("direction.1", f32, 128))), HasSubstr("has 128 numbers of type f32; this model is 64 wide"));
  EXPECT_THAT(refusal(read(with("direction.1", f16, 64))), HasSubstr("takes f32"));
  EXPECT_THAT(refusal(read(with("direction.3", f32, 64))), HasSubstr("layers 1 to 2 to add to"));
  EXPECT_THAT(refusal(read(with("direction.0", f32, 64))), HasSubstr("direction.0"));
  EXPECT_THAT(refusal(read(with("mean.1", f32, 64))), HasSubstr("expected direction.LAYER"));
  EXPECT_THAT(refusal(read(with("direction.1", f32, 64), LayerRange{2, 2})), HasSubstr("nothing for the layers 2 to 2"));
  EXPECT_THAT(refusal(read(with("direction.1", f32, 64), LayerRange{1, 3})), HasSubstr("layers 1 to 3 are asked for"));
}

}  // namespace
}  // namespace hearth::model
