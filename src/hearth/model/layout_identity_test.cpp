#include "hearth/model/layout_identity.h"

#include <gtest/gtest.h>

#include <functional>

#include "support/state_blob.h"

namespace hearth::model {
namespace {

LayoutIdentity sample() {
  LayoutIdentity identity;
  identity.architecture = "deepseek2";
  identity.gguf = blake2b(as_byte_span("gguf"));
  identity.weights = blake2b(as_byte_span("weights"));
  identity.tokenizer = blake2b(as_byte_span("tokenizer"));
  identity.layers = 61;
  identity.rope = {64, 50'000.0, "yarn", 64.0, 4'096, 0.1, 1.0};
  identity.adapters = {{blake2b(as_byte_span("lora")), 0.5}};
  identity.state = hearth::testing::sample_layouts()[5];
  return identity;
}

struct Change {
  const char* field;
  std::function<void(LayoutIdentity&)> apply;
};

const Change changes[] = {
    {"revision", [](auto& i) { i.revision = 2; }},
    {"architecture", [](auto& i) { i.architecture = "llama"; }},
    {"gguf", [](auto& i) { i.gguf = {}; }},
    {"weights", [](auto& i) { i.weights = {}; }},
    {"tokenizer", [](auto& i) { i.tokenizer = {}; }},
    {"layers", [](auto& i) { i.layers = 60; }},
    {"k_type: f16 against q8_0", [](auto& i) { i.k_type = KvType::q8_0; }},
    {"v_type", [](auto& i) { i.v_type = KvType::q8_0; }},
    {"flash_attention: true against false", [](auto& i) { i.flash_attention = false; }},
    {"stream_count", [](auto& i) { i.stream_count = 2; }},
    {"rope.dimensions", [](auto& i) { i.rope.dimensions = 32; }},
    {"rope.frequency_base", [](auto& i) { i.rope.frequency_base = 10'000.0; }},
    {"rope.scaling:", [](auto& i) { i.rope.scaling = "none"; }},
    {"rope.scaling_factor", [](auto& i) { i.rope.scaling_factor = 1.0; }},
    {"rope.original_context", [](auto& i) { i.rope.original_context = 1; }},
    {"rope.yarn_log_multiplier", [](auto& i) { i.rope.yarn_log_multiplier = 0.2; }},
    {"rope.attention_factor", [](auto& i) { i.rope.attention_factor = 2.0; }},
    {"adapters: 1 items against 0", [](auto& i) { i.adapters.clear(); }},
    {"adapters[0].layers", [](auto& i) { i.adapters[0].layers = {1, 2}; }},
    {"adapters[0].scale", [](auto& i) { i.adapters[0].scale = 1.0; }},
    {"adapters[0].digest", [](auto& i) { i.adapters[0].digest = {}; }},
    {"state: 2 items against 1", [](auto& i) { i.state.caches.pop_back(); }},
    {"state[0].v_transposed", [](auto& i) { i.state.caches[0].v_transposed = true; }},
    {"state[0].rotation_k", [](auto& i) { i.state.caches[0].rotation_k = 64; }},
    {"state[0].rotation_v", [](auto& i) { i.state.caches[0].rotation_v = 64; }},
    {"state[0].cell_extension_bytes", [](auto& i) { i.state.caches[0].cell_extension_bytes = 12; }},
    {"state[0].window_tokens", [](auto& i) { i.state.caches[0].window_tokens = 9; }},
    {"state[1].layers[0].k_type", [](auto& i) { i.state.caches[1].layers[0].k_type = 8; }},
    {"state[1].layers[0].k_row_bytes", [](auto& i) { i.state.caches[1].layers[0].k_row_bytes = 8; }},
    {"state[1].layers[0].v_type", [](auto& i) { i.state.caches[1].layers[0].v_type = 8; }},
    {"state[1].layers[0].v_row_bytes", [](auto& i) { i.state.caches[1].layers[0].v_row_bytes = 8; }},
    {"state[1].layers[0].v_element_bytes",
     [](auto& i) { i.state.caches[1].layers[0].v_element_bytes = 8; }},
};

TEST(LayoutIdentity, EveryFieldChangesTheDigestAndIsNamed) {
  const LayoutIdentity a = sample();
  EXPECT_EQ(describe_difference(a, a), std::nullopt);
  for (const Change& change : changes) {
    LayoutIdentity b = a;
    change.apply(b);
    EXPECT_NE(layout_digest(a), layout_digest(b)) << change.field;
    const auto difference = describe_difference(a, b);
    ASSERT_TRUE(difference.has_value()) << change.field;
    EXPECT_TRUE(difference->starts_with(change.field)) << *difference;
  }
}

TEST(LayoutIdentity, TravelsAsText) {
  const LayoutIdentity a = sample();
  const auto json = parse_json(dump_json(identity_json(a)));
  ASSERT_TRUE(json.has_value());
  const auto b = identity_from_json(*json);
  ASSERT_TRUE(b.has_value()) << b.error().message;
  EXPECT_EQ(*b, a);
  EXPECT_EQ(layout_digest(*b), layout_digest(a));
}

TEST(LayoutIdentity, EveryMemberIsNeeded) {
  const Json whole = identity_json(sample());
  for (const auto& [key, value] : whole.as_object()) {
    Json without = whole;
    without.erase(key);
    const auto identity = identity_from_json(without);
    ASSERT_FALSE(identity.has_value()) << key;
    EXPECT_EQ(identity.error().code, Code::invalid_argument);
    EXPECT_NE(identity.error().message.find(key), std::string::npos) << identity.error().message;
    Json wrong = whole;
    wrong.set(key, Json());
    EXPECT_FALSE(identity_from_json(wrong).has_value()) << key;
  }
  EXPECT_FALSE(identity_from_json(Json::array()).has_value());
}

// If this fails, stored chunks are orphaned: raise layout_revision and mean it.
TEST(LayoutIdentity, TheDigestIsStable) {
  EXPECT_EQ(layout_digest(LayoutIdentity{}).hex(), 
            "316c337fb27e5f37abca81081d2e6ddd63df750b29330d2688b940875a8badd6");
}

}  // namespace
}  // namespace hearth::model
