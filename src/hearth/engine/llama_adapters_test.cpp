// What our checks let through must have its effect in the real engine: an update of any tensor that
// takes_lora() names, and a control vector, in every architecture that we serve.

#include "hearth/engine/llama_adapters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "hearth/base/file.h"
#include "hearth/engine/llama_engine.h"
#include "hearth/engine/synth/synth_adapter.h"

namespace hearth::engine {
namespace {

using model::AdapterKind;
using model::AdapterSet;
using Logits = std::vector<float>;

class LlamaAdaptersTest : public ::testing::TestWithParam<Architecture> {
 protected:
  LlamaAdaptersTest() {
    EXPECT_TRUE(make_synthetic_model({.architecture = GetParam(), .weights = Weights::random, .output = model_}, nullptr));
  }

  std::filesystem::path make(AdapterSynthOptions options) {
    options.base = model_;
    options.output = directory_.path() / ("adapter-" + std::to_string(count_++) + ".gguf");
    const auto made = make_synthetic_adapter(options);
    EXPECT_TRUE(made) << made.error().message;
    return options.output;
  }
  std::unique_ptr<LlamaEngine> load(std::vector<AdapterSet> sets) {
    auto engine = load_llama_engine({.model_path = model_, .context_tokens = 256, .sequences = 1, .batch_tokens = 32,
                                     .ubatch_tokens = 32, .threads = 1, .device = "cpu", .adapters = std::move(sets)},
                                    nullptr, {});
    EXPECT_TRUE(engine) << engine.error().message;
    return engine ? *std::move(engine) : nullptr;
  }
  // Of the last of a few tokens.
  static Logits logits(Engine& engine, AdapterSetId set) {
    constexpr SequenceId sequence{0};
    EXPECT_TRUE(engine.truncate(sequence, 0));
    EXPECT_TRUE(engine.use_adapters(set));
    std::vector<BatchItem> items;
    for (std::uint32_t i = 0; i < 8; ++i) items.push_back({static_cast<Token>(20 + 7 * i), i, sequence, i == 7});
    EXPECT_TRUE(engine.decode(items, {}));
    const auto row = engine.logits(7);
    return {row.begin(), row.end()};
  }

  TemporaryDirectory directory_ = TemporaryDirectory::create("hearth-llama-adapters").value();
  const std::filesystem::path model_ = directory_.path() / "model.gguf";
  int count_ = 0;
};

TEST_P(LlamaAdaptersTest, EveryTensorThatIsTakenHasAnEffect) {
  const auto files = model::load_model_files(model_).value();
  const auto shape = model::read_shape(files).value();
  std::vector<AdapterSet> sets;
  for (const model::ModelTensor& each : files.tensors) {
    const std::string& name = each.tensor.name;
    const bool is_of_first_layers = !name.starts_with("blk.") || name.starts_with("blk.0.") || name.starts_with("blk.1.");
    if (!is_of_first_layers || !model::takes_lora(each.tensor, {files, shape})) continue;
    sets.push_back({name, {{AdapterKind::lora, make({.only_tensor = name})}}});
  }
  ASSERT_GE(sets.size(), 10u);
  ASSERT_LE(sets.size(), model::adapter_sets_max);
  const auto engine = load(sets);
  ASSERT_TRUE(engine);
  const Logits bare = logits(*engine, {});
  for (const AdapterSet& set : sets) {
    EXPECT_NE(logits(*engine, engine->find_adapters(set.name).value()), bare) << set.name;
  }
  EXPECT_EQ(logits(*engine, {}), bare);
}

TEST_P(LlamaAdaptersTest, SetsThatTakeTurnsDoNotTouchEachOther) {
  const auto voice = make({.seed = 1});
  const auto other = make({.seed = 2});
  const auto calm = make({.kind = AdapterKind::control_vector, .seed = 3});
  const auto wild = make({.kind = AdapterKind::control_vector, .seed = 4});
  const std::vector<AdapterSet> sets = {
      {"voice", {{AdapterKind::lora, voice}}},
      {"other", {{AdapterKind::lora, other}}},
      {"half", {{AdapterKind::lora, voice, 0.5}}},
      {"off", {{AdapterKind::lora, voice, 0}}},
      {"calm", {{AdapterKind::control_vector, calm}}},
      {"first", {{AdapterKind::control_vector, calm, 1, model::LayerRange{1, 1}}}},
      {"both", {{AdapterKind::control_vector, calm}, {AdapterKind::control_vector, wild}}},
      {"all", {{AdapterKind::lora, voice}, {AdapterKind::lora, other}, {AdapterKind::control_vector, calm}}}};
  std::vector<Logits> alone;  // the bare model's first
  for (std::size_t i = 0; i <= sets.size(); ++i) {
    const auto engine = load(i == 0 ? std::vector<AdapterSet>() : std::vector{sets[i - 1]});
    ASSERT_TRUE(engine);
    alone.push_back(logits(*engine, {i == 0 ? 0U : 1U}));
  }
  const auto engine = load(sets);
  ASSERT_TRUE(engine);
  // Every set after every other.
  for (std::uint32_t step = 1; step <= sets.size(); ++step) {
    for (std::uint32_t i = 0, set = 0; i <= sets.size(); ++i, set = (set + step) % static_cast<std::uint32_t>(alone.size())) {
      EXPECT_EQ(logits(*engine, {set}), alone[set]) << (set == 0 ? "bare" : sets[set - 1].name) << ", step " << step;
    }
  }
  EXPECT_EQ(alone[4], alone[0]) << "a LoRA of scale 0 does nothing";
  for (std::size_t i = 0; i < alone.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const bool is_off_and_bare = i == 4 && j == 0;
      EXPECT_EQ(alone[i] == alone[j], is_off_and_bare) << i << " and " << j;
    }
  }
}

TEST_P(LlamaAdaptersTest, NamesWhatIsLoaded) {
  const auto engine = load({{"voice", {{AdapterKind::lora, make({})}}}});
  ASSERT_TRUE(engine);
  EXPECT_EQ(engine->limits().adapter_sets, 1u);
  EXPECT_EQ(engine->find_adapters("").value(), AdapterSetId{0});
  const auto unknown = engine->find_adapters("vioce");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, ::testing::HasSubstr("no adapter 'vioce'; the model was started with voice"));
}

INSTANTIATE_TEST_SUITE_P(Architectures, LlamaAdaptersTest,
                         ::testing::Values(Architecture::kimi, Architecture::qwen3moe, Architecture::llama,
                                           Architecture::gpt_oss, Architecture::qwen35moe),
                         [](const auto& each) {
                           std::string name(word_of(each.param));
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace hearth::engine
