#include "hearth/model/adapter_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::model {
namespace {

using ::testing::HasSubstr;

AdapterFile lora(std::string_view text) { return parse_adapter_file(AdapterKind::lora, text).value(); }
AdapterFile vector(std::string_view text) { return parse_adapter_file(AdapterKind::control_vector, text).value(); }
std::string refusal(AdapterKind kind, std::string_view text) {
  const auto parsed = parse_adapter_file(kind, text);
  return parsed ? "" : parsed.error().message;
}

TEST(AdapterFile, IsAFileAndItsScaleAndLayers) {
  EXPECT_EQ(lora("voice.gguf"), (AdapterFile{AdapterKind::lora, "voice.gguf", 1}));
  EXPECT_EQ(lora("voice.gguf:0.25"), (AdapterFile{AdapterKind::lora, "voice.gguf", 0.25}));
  EXPECT_EQ(lora("voice.gguf:-1"), (AdapterFile{AdapterKind::lora, "voice.gguf", -1}));
  EXPECT_EQ(vector("calm.gguf:0.5:3-7"), (AdapterFile{AdapterKind::control_vector, "calm.gguf", 0.5, LayerRange{3, 7}}));
  EXPECT_EQ(vector("calm.gguf:3-7"), (AdapterFile{AdapterKind::control_vector, "calm.gguf", 1, LayerRange{3, 7}}));
}

TEST(AdapterFile, KeepsAColonThatNoNumberFollows) {
  EXPECT_EQ(lora("/a:b/voice.gguf").path, "/a:b/voice.gguf");
  EXPECT_EQ(lora("voice:x").path, "voice:x");
  EXPECT_EQ(lora("voice.gguf:3-7").path, "voice.gguf:3-7");  // a LoRA has no layers
}

TEST(AdapterFile, RefusesAScaleThatMeansNothing) {
  EXPECT_THAT(refusal(AdapterKind::lora, "voice.gguf:nan"), HasSubstr("voice.gguf: the scale is nan"));
  EXPECT_THAT(refusal(AdapterKind::lora, "voice.gguf:1e9"), HasSubstr("expected -1000 to 1000"));
  EXPECT_THAT(refusal(AdapterKind::lora, "voice.gguf:1e-50"), HasSubstr("would take the scale 1e-50 for 0"));
  EXPECT_THAT(refusal(AdapterKind::control_vector, "calm.gguf:1:7-3"), HasSubstr("layers 7 to 3"));
  EXPECT_THAT(refusal(AdapterKind::control_vector, "calm.gguf:1:0-3"), HasSubstr("layer 0"));
  EXPECT_THAT(refusal(AdapterKind::lora, ":0.5"), HasSubstr("no name"));
}

TEST(AdapterSet, TakesEachFileUnderItsName) {
  std::vector<AdapterSet> sets;
  ASSERT_TRUE(add_adapter_file(sets, AdapterKind::lora, "voice=a.gguf:0.5"));
  ASSERT_TRUE(add_adapter_file(sets, AdapterKind::lora, "other=c.gguf"));
  ASSERT_TRUE(add_adapter_file(sets, AdapterKind::control_vector, "voice=b=1.gguf"));
  ASSERT_EQ(sets.size(), 2u);
  EXPECT_EQ(sets[0], (AdapterSet{"voice", {lora("a.gguf:0.5"), vector("b=1.gguf")}}));
  EXPECT_FALSE(add_adapter_file(sets, AdapterKind::lora, "a.gguf"));
  EXPECT_FALSE(add_adapter_file(sets, AdapterKind::lora, "my+voice=a.gguf"));
}

TEST(AdapterSet, RefusesNamesThatCannotStandBehindAModels) {
  const auto refused = [](std::vector<AdapterSet> sets) {
    const auto checked = check_adapter_sets(sets);
    return checked ? "" : checked.error().message;
  };
  EXPECT_EQ(refused({{"my-voice_2.0", {lora("a.gguf")}}}), "");
  EXPECT_THAT(refused({{"a b", {lora("a.gguf")}}}), HasSubstr("adapter 'a b'"));
  EXPECT_THAT(refused({{"", {lora("a.gguf")}}}), HasSubstr("a name has letters"));
  EXPECT_THAT(refused({{"a", {lora("a.gguf")}}, {"a", {lora("b.gguf")}}}), HasSubstr("there twice"));
  EXPECT_THAT(refused({{"a", {}}}), HasSubstr("0 files"));
}

TEST(AdapterSet, ComesBackFromItsText) {
  const AdapterSet set{"voice", {lora("a:b.gguf:0.5"), lora("c.gguf"), vector("d.gguf:-2:3-7")}};
  EXPECT_EQ(adapter_set_from_json(parse_json(dump_json(adapter_set_json(set))).value()).value(), set);
  const std::vector<NamedAdapters> loaded = {
      {"voice", {{blake2b(as_byte_span("a")), 0.5}, {blake2b(as_byte_span("d")), -2, LayerRange{3, 7}}}}};
  const Json json = Json::object({{"adapter_sets", named_adapters_json(loaded)}});
  EXPECT_EQ(named_adapters_from_json(json).value(), loaded);
}

}  // namespace
}  // namespace hearth::model
