// Settings under which the real engine loads, and those that it refuses.

#include <gtest/gtest.h>

#include "hearth/base/file.h"
#include "hearth/engine/llama_engine.h"
#include "hearth/engine/synth/synth.h"

namespace hearth::engine {
namespace {

class LlamaLoad : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(make_synthetic_model({.architecture = Architecture::llama, .weights = Weights::random, .output = model_}, nullptr));
  }
  Result<std::unique_ptr<LlamaEngine>> load(std::uint32_t sequences, std::uint32_t batch_tokens, std::uint32_t ubatch_tokens) {
    return load_llama_engine({.model_path = model_, .context_tokens = 512, .sequences = sequences, .batch_tokens = batch_tokens,
                              .ubatch_tokens = ubatch_tokens, .threads = 1, .device = "cpu"}, nullptr, {});
  }

  const TemporaryDirectory directory_ = TemporaryDirectory::create("hearth-llama-load").value();
  const std::filesystem::path model_ = directory_.path() / "model.gguf";
};

TEST_F(LlamaLoad, AStepHasRoomForATokenOfEveryAnswerHoweverSmallChunksAre) {
  const auto engine = load(40, 16, 512);
  ASSERT_TRUE(engine) << engine.error().message;
  const EngineLimits limits = (*engine)->limits();
  EXPECT_GE(limits.batch_tokens, 41U);
  EXPECT_EQ(limits.ubatch_tokens, 16U);
  EXPECT_EQ(limits.batch_tokens % limits.ubatch_tokens, 0U);
  EXPECT_EQ(load(4, 64, 16).value()->limits().batch_tokens, 64U);
}

TEST_F(LlamaLoad, RefusesWhatCannotComputeAnything) {
  for (const auto& [sequences, batch, ubatch] : {std::tuple{0U, 64U, 16U}, {1U, 0U, 16U}, {1U, 64U, 0U}}) {
    const auto engine = load(sequences, batch, ubatch);
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().code, Code::invalid_argument);
  }
}

}  // namespace
}  // namespace hearth::engine
