// Each way of choosing, over logits that are given, with libllama's own sampler chain.

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "hearth/base/file.h"
#include "hearth/engine/llama_engine.h"
#include "hearth/engine/synth/synth.h"
#include "hearth/engine/synth/vocabulary.h"

namespace hearth::engine {
namespace {

constexpr int draws = 400;

class LlamaSamplerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = new TemporaryDirectory(TemporaryDirectory::create("hearth-llama-sampler").value());
    const auto path = directory_->path() / "model.gguf";
    ASSERT_TRUE(make_synthetic_model({.architecture = Architecture::llama, .weights = Weights::random, .output = path}, nullptr));
    engine_ = load_llama_engine({.model_path = path, .context_tokens = 256, .sequences = 1, .batch_tokens = 32,
                                 .ubatch_tokens = 32, .threads = 1, .device = "cpu"}, nullptr, {}).value().release();
  }
  static void TearDownTestSuite() {
    delete engine_;
    delete directory_;
  }

  // How often each token was taken, of `times` samples over the same logits.
  static std::map<Token, int> sample(const SamplingOptions& options, const std::map<Token, float>& probabilities,
                                     std::span<const Token> prompt = {}, int times = draws) {
    std::vector<float> logits(engine_->limits().vocabulary, -50.0F);
    for (const auto& [token, probability] : probabilities) logits[static_cast<std::size_t>(token)] = std::log(probability);
    const auto sampler = engine_->make_sampler(options, prompt).value();
    std::map<Token, int> out;
    for (int i = 0; i < times; ++i) ++out[sampler->sample(logits).value()];
    return out;
  }
  static std::vector<Token> taken(const SamplingOptions& options, const std::map<Token, float>& probabilities,
                                  std::span<const Token> prompt = {}) {
    std::vector<Token> out;
    for (const auto& [token, count] : sample(options, probabilities, prompt)) out.push_back(token);
    return out;
  }

  static inline TemporaryDirectory* directory_ = nullptr;
  static inline LlamaEngine* engine_ = nullptr;
};

// What one answer's sampler takes, step by step.
class Steps {
 public:
  Steps(LlamaEngine& engine, const SamplingOptions& options)
      : vocabulary_(engine.limits().vocabulary), sampler_(engine.make_sampler(options, {}).value()) {}
  Result<Token> next(const std::map<Token, float>& probabilities) {
    std::vector<float> logits(vocabulary_, -50.0F);
    for (const auto& [token, probability] : probabilities) {
      logits[static_cast<std::size_t>(token)] = std::log(probability);
    }
    return sampler_->sample(logits);
  }

 private:
  std::size_t vocabulary_;
  std::unique_ptr<Sampler> sampler_;
};

using Tokens = std::vector<Token>;
const std::map<Token, float> four = {{40, 0.5F}, {41, 0.3F}, {42, 0.15F}, {43, 0.05F}};

TEST_F(LlamaSamplerTest, GreedyTakesTheMostLikelyAndTheLowestOfEqualOnes) {
  EXPECT_EQ(taken({}, four), Tokens{40});
  EXPECT_EQ(taken({}, {{50, 0.5F}, {49, 0.5F}}), Tokens{49});
}

TEST_F(LlamaSamplerTest, TemperatureOneDrawsAsOftenAsTheProbabilitiesSay) {
  const auto counts = sample({.temperature = 1, .seed = 7}, four, {}, 4'000);
  for (const auto& [token, probability] : four) {
    EXPECT_NEAR(counts.at(token) / 4'000.0, probability, 0.03) << token;
  }
  const auto cold = sample({.temperature = 0.25, .seed = 7}, four, {}, 4'000);
  EXPECT_NEAR(cold.at(40) / 4'000.0, 0.88, 0.03);  // 0.5^4 of the sum of all fourth powers
}

TEST_F(LlamaSamplerTest, FiltersLeaveWhatTheyAreDefinedToLeave) {
  EXPECT_EQ(taken({.temperature = 1, .top_k = 1}, four), Tokens{40});
  EXPECT_EQ(taken({.temperature = 1, .top_k = 3}, four), (Tokens{40, 41, 42}));
  EXPECT_EQ(taken({.temperature = 1, .top_p = 0.7}, four), (Tokens{40, 41}));   // 0.5 is too little, 0.8 enough
  EXPECT_EQ(taken({.temperature = 1, .min_p = 0.25}, four), (Tokens{40, 41, 42}));  // of the largest: 0.125
  EXPECT_EQ(taken({.temperature = 1, .min_p = 1}, four), Tokens{40});
}

TEST_F(LlamaSamplerTest, ABiasMovesATokenInAndOut) {
  EXPECT_EQ(taken({.logit_bias = {{43, 100}}}, four), Tokens{43});
  EXPECT_EQ(taken({.logit_bias = {{40, -100}}}, four), Tokens{41});
  const Token beyond = static_cast<Token>(engine_->limits().vocabulary);
  const auto refused = engine_->make_sampler({.logit_bias = {{beyond, 1}}}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::invalid_argument);
}

// Log probabilities are below 0, and a penalty multiplies those.
TEST_F(LlamaSamplerTest, PenaltiesCountTheWindowOfThePromptAndTheAnswer) {
  const Tokens prompt = {40, 60, 61};
  EXPECT_EQ(sample({.repeat_penalty = 3}, four, prompt, 1).begin()->first, 41);
  EXPECT_EQ(sample({.repeat_penalty = 3, .penalty_last_n = 2}, four, prompt, 1).begin()->first, 40);  // it is out of the window
  EXPECT_EQ(sample({.presence_penalty = 1}, four, prompt, 1).begin()->first, 41);
  EXPECT_EQ(sample({.presence_penalty = 0.4}, four, prompt, 1).begin()->first, 40);
  EXPECT_EQ(sample({.frequency_penalty = 0.4}, four, Tokens{40, 40}, 1).begin()->first, 41);  // twice 0.4
  // What is taken becomes part of the window: 40, then 41, and 42 once both have been.
  EXPECT_EQ(sample({.presence_penalty = 2}, four, {}, 3), (std::map<Token, int>{{40, 1}, {41, 1}, {42, 1}}));
}

// As "{\n" is one token of Llama 3, where a call begins with {"name": the trigger, and then what no call has.
TEST_F(LlamaSamplerTest, ATokenWhoseTextBehindTheTriggerIsRefusedIsPassedOver) {
  const Token fused = static_cast<Token>(vocabulary_of(Architecture::llama).id("<|reserved_0|>"));
  const Token also_fused = fused + 1;
  Steps steps(*engine_, {.grammar = R"(root ::= "<ab")", .grammar_trigger_patterns = {R"(^x*(<)[\s\S]*$)"}});
  EXPECT_EQ(steps.next({{'x', 0.9F}, {'y', 0.1F}}).value(), 'x');
  EXPECT_EQ(steps.next({{fused, 0.5F}, {also_fused, 0.3F}, {'x', 0.2F}}).value(), 'x');  // goes on, still free
  EXPECT_EQ(steps.next({{fused, 0.6F}, {'<', 0.3F}, {'x', 0.1F}}).value(), '<');         // the bare trigger
  EXPECT_EQ(steps.next({{'z', 0.9F}, {'a', 0.1F}}).value(), 'a');                        // held from there on
  EXPECT_EQ(steps.next({{'a', 0.9F}, {'b', 0.1F}}).value(), 'b');
}

TEST_F(LlamaSamplerTest, ATriggerMayStandAnywhereInTheText) {
  Steps steps(*engine_, {.grammar = R"(root ::= "<ab")", .grammar_trigger_patterns = {"(<)"}});
  for (const char free : {'x', 'b', 'z'}) EXPECT_EQ(steps.next({{free, 0.9F}, {'a', 0.1F}}).value(), free);
  EXPECT_EQ(steps.next({{'<', 0.9F}, {'x', 0.1F}}).value(), '<');
  EXPECT_EQ(steps.next({{'z', 0.9F}, {'a', 0.1F}}).value(), 'a');
  EXPECT_EQ(steps.next({{'a', 0.9F}, {'b', 0.1F}}).value(), 'b');
}

TEST_F(LlamaSamplerTest, AGrammarThatRefusesAllThatTriggersItEndsInAnError) {
  Tokens triggers;
  std::map<Token, float> only_triggers;
  const auto add = [&](Token first, Token end) {
    for (Token token = first; token < end; ++token) {
      triggers.push_back(token);
      only_triggers[token] = 0.01F;
    }
  };
  add('A', 'z');
  add(static_cast<Token>(vocabulary_of(Architecture::llama).id("<|reserved_0|>")),
      static_cast<Token>(engine_->limits().vocabulary));
  Steps steps(*engine_, {.grammar = R"(root ::= "<ab")", .grammar_trigger_tokens = triggers});
  const auto taken_token = steps.next(only_triggers);
  ASSERT_FALSE(taken_token);
  EXPECT_EQ(taken_token.error().code, Code::invalid_argument);
}

TEST_F(LlamaSamplerTest, TheSameSeedDrawsTheSame) {
  const SamplingOptions options{.temperature = 1, .seed = 3};
  EXPECT_EQ(sample(options, four), sample(options, four));
  EXPECT_NE(sample(options, four), sample({.temperature = 1, .seed = 4}, four));
}

}  // namespace
}  // namespace hearth::engine
