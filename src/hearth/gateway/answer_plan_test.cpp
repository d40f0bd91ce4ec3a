// What the model is asked: window, constraint, sampling, and refusals before anything is computed.
#include "hearth/gateway/answer_plan.h"

#include <gtest/gtest.h>

#include <limits>

#include "hearth/gateway/sampling_defaults.h"
#include "tests/support/scripted_model.h"

namespace hearth::gateway {
namespace {

using chat::ResponseFormat;
using chat::Role;
using chat::ToolChoice;

constexpr std::uint64_t seed = 77;

struct Planner {
  explicit Planner(std::string_view format_name = "kimi-k2.5", std::uint32_t context_tokens = 8192,
                   GatewayOptions given = {})
      : options(std::move(given)), format(*chat::make_format(format_name)),
        model(format.get(), {.facts = {.limits = {.context_tokens = context_tokens, .sequences = 4}}}),
        prompts(model, *format) {
    EXPECT_TRUE(prompts.learn_markers({}));
  }
  ApiResult<AnswerPlan> plan(ChatRequest request) {
    return plan_answer({model, prompts, *format, options}, std::move(request), seed, {});
  }

  GatewayOptions options;
  std::unique_ptr<chat::Format> format;
  test::ScriptedModel model;
  PromptBuilder prompts;
};

chat::Tool tool(std::string name, std::string_view schema = R"({"type":"object"})") {
  return {.name = std::move(name), .description = "d", .parameters = *parse_json(schema)};
}

ChatRequest ask(std::string text = "hi") {
  ChatRequest out;
  out.conversation.messages = {{.role = Role::user, .text = std::move(text)}};
  return out;
}

// --- the window

TEST(AnswerPlan, RefusesPromptsBeyondTheWindowWithBothNumbers) {
  Planner planner("kimi-k2.5", 8192);
  const auto small = planner.plan(ask(""));
  ASSERT_TRUE(small);
  const auto overhead = static_cast<std::uint32_t>(small->prompt.tokens.size());
  const std::uint32_t most = 8192 - 1024;
  const auto fits = planner.plan(ask(std::string(most - overhead, 'x')));
  ASSERT_TRUE(fits);
  EXPECT_EQ(fits->generate.prompt.size(), most);
  EXPECT_EQ(fits->generate.tokens_max, 1024U);  // to the end of the window
  const auto refused = planner.plan(ask(std::string(most - overhead + 1, 'x')));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(),
            (ApiError{.kind = ApiError::Kind::prompt_too_long,
                      .message = "prompt is too long: 7169 tokens > 7168 maximum",
                      .prompt_tokens = 7169, .prompt_tokens_max = 7168}));
}

TEST(AnswerPlan, AnswersGetWhatTheWindowHas) {
  Planner planner("kimi-k2.5", 1000);
  const auto room = [&](std::optional<std::uint32_t> tokens_max) {
    ChatRequest request = ask();
    request.tokens_max = tokens_max;
    const auto plan = planner.plan(request);
    return plan ? plan->generate.tokens_max + plan->prompt.tokens.size() : 0;
  };
  EXPECT_EQ(room({}), 1000U);
  EXPECT_EQ(room(128'000), 1000U);
  EXPECT_EQ(room(std::numeric_limits<std::uint32_t>::max()), 1000U);
  EXPECT_EQ(room(1), room(0));  // 0 is for the runner: it ends after the prompt
}

TEST(AnswerPlan, TinyWindowsAreRefusedNotDividedByZero) {
  for (const std::uint32_t window : {0U, 1U, 7U, 8U}) {
    Planner planner("kimi-k2.5", window);
    ChatRequest request;
    request.raw_prompt = std::vector<Token>(window + 1, 1);
    const auto refused = planner.plan(request);
    ASSERT_FALSE(refused) << window;
    EXPECT_EQ(refused.error().kind, ApiError::Kind::prompt_too_long);
    if (window == 0) continue;
    request.raw_prompt = std::vector<Token>(window, 1);  // no room for a single token
    EXPECT_FALSE(planner.plan(request)) << window;
  }
}

TEST(AnswerPlan, CountsTheSamePromptThatItAnswers) {
  Planner planner;
  for (const auto kind : {ToolChoice::Kind::automatic, ToolChoice::Kind::required}) {
    for (const std::optional<bool> thinking : {std::optional<bool>(), {true}, {false}}) {
      ChatRequest request = ask();
      request.conversation.tools = {tool("now")};
      request.tool_choice.kind = kind;
      request.thinking = thinking;
      const auto plan = planner.plan(request);
      ASSERT_TRUE(plan);
      EXPECT_EQ(build_prompt(planner.prompts, request, {})->tokens, plan->generate.prompt);
    }
  }
}

// --- constraints

TEST(AnswerPlan, ForcedCallsTurnThinkingOffUnlessAskedFor) {
  Planner planner;
  const auto plan = [&](ToolChoice choice, std::optional<bool> thinking) {
    ChatRequest request = ask();
    request.conversation.tools = {tool("now"), tool("add")};
    request.tool_choice = std::move(choice);
    request.thinking = thinking;
    return *planner.plan(request);
  };
  const ToolChoice required{.kind = ToolChoice::Kind::required};
  const ToolChoice named{.kind = ToolChoice::Kind::named, .name = "add"};
  for (const ToolChoice& forced : {required, named}) {
    EXPECT_FALSE(plan(forced, {}).prompt.thinking);
    EXPECT_TRUE(plan(forced, true).prompt.thinking);
    EXPECT_FALSE(plan(forced, false).prompt.thinking);
    EXPECT_FALSE(plan(forced, {}).generate.sampling.grammar.empty());
    EXPECT_TRUE(plan(forced, {}).generate.sampling.grammar_trigger_tokens.empty());  // at once
  }
  EXPECT_TRUE(plan({}, {}).prompt.thinking);
}

TEST(AnswerPlan, CallsAreConstrainedFromTheirMarkerOn) {
  Planner planner;
  ChatRequest request = ask();
  request.conversation.tools = {tool("now")};
  const auto plan = planner.plan(request);
  ASSERT_TRUE(plan);
  const auto& sampling = plan->generate.sampling;
  EXPECT_FALSE(sampling.grammar.empty());
  const std::vector<Token> openings = {*planner.model.marker("<|tool_calls_section_begin|>"),
                                       *planner.model.marker("<|tool_call_section_begin|>"),
                                       *planner.model.marker("<|tool_call_begin|>")};
  EXPECT_EQ(sampling.grammar_trigger_tokens, openings);
  EXPECT_TRUE(planner.plan(ask())->generate.sampling.grammar.empty());
  request.tool_choice.kind = ToolChoice::Kind::none;
  EXPECT_TRUE(planner.plan(request)->generate.sampling.grammar.empty());
}

TEST(AnswerPlan, SchemasThatCannotBeEnforcedAreRefusedWithTheirPath) {
  struct Case {
    std::string_view schema;
    std::string_view field;
  };
  const Case cases[] = {
      {R"({"type":"object","properties":{"a":{"not":{"type":"string"}}}})", "tools[1].parameters.properties.a.not"},
      {R"({"type":"array"})", "tools[1].parameters"},
  };
  for (const Case& one : cases) {
    Planner planner;
    ChatRequest request = ask();
    request.conversation.tools = {tool("z"), tool("a", one.schema)};  // sorted, a comes first
    const auto refused = planner.plan(request);
    ASSERT_FALSE(refused) << one.schema;
    EXPECT_EQ(refused.error().kind, ApiError::Kind::invalid_request);
    EXPECT_EQ(refused.error().field, one.field) << refused.error().message;
    EXPECT_TRUE(planner.model.requests().empty());
  }
  Planner planner;
  ChatRequest request = ask();
  request.response_format = {.kind = ResponseFormat::Kind::json_schema,
                             .schema = *parse_json(R"({"properties":{"x":{"type":"wrong"}}})")};
  const auto refused = planner.plan(request);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().field.starts_with("response_format.schema.properties.x"))
      << refused.error().field;
}

TEST(AnswerPlan, ChoicesThatNameNothingAreRefused) {
  Planner planner;
  ChatRequest request = ask();
  request.tool_choice = {.kind = ToolChoice::Kind::named, .name = "gone"};
  EXPECT_EQ(planner.plan(request).error().kind, ApiError::Kind::invalid_request);
  request.tool_choice = {.kind = ToolChoice::Kind::required};
  EXPECT_EQ(planner.plan(request).error().kind, ApiError::Kind::invalid_request);
}

TEST(AnswerPlan, RawPromptsAreNotConstrained) {
  Planner planner;
  ChatRequest request;
  request.raw_prompt = "Once";
  request.response_format.kind = ResponseFormat::Kind::json_object;
  EXPECT_TRUE(planner.plan(request)->generate.sampling.grammar.empty());
}

TEST(AnswerPlan, ManyToolsFit) {
  Planner planner("kimi-k2.5", 1 << 20);
  ChatRequest request = ask();
  for (int i = 0; i < 200; ++i) {
    request.conversation.tools.push_back(
        tool("tool_" + std::to_string(i),
             R"({"type":"object","properties":{"path":{"type":"string","description":")" +
                 std::string(1900, 'd') + R"("}},"required":["path"]})"));
  }
  const auto plan = planner.plan(request);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_GT(plan->prompt.tokens.size(), 380'000U);
}

// --- sampling

TEST(AnswerPlan, SamplingComesFromModelThenOperatorThenClient) {
  ChatRequest request = ask();
  EXPECT_EQ(Planner().plan(request)->generate.sampling.temperature, 1.0);
  request.thinking = false;
  EXPECT_EQ(Planner().plan(request)->generate.sampling.temperature, 0.6);
  GatewayOptions options;
  options.sampling.temperature = 0.3;
  options.sampling.top_k = 40;
  EXPECT_EQ(Planner("kimi-k2.5", 8192, options).plan(request)->generate.sampling.temperature, 0.3);
  request.sampling.temperature = 0.9;
  request.sampling.seed = 5;
  const auto asked = Planner("kimi-k2.5", 8192, options).plan(request)->generate.sampling;
  EXPECT_EQ(asked.temperature, 0.9);
  EXPECT_EQ(asked.top_k, 40);
  EXPECT_EQ(asked.top_p, 0.95);
  EXPECT_EQ(asked.seed, 5U);
  options.client_sampling = false;
  const auto ruled = Planner("kimi-k2.5", 8192, options).plan(request)->generate.sampling;
  EXPECT_EQ(ruled.temperature, 0.3);
  EXPECT_EQ(ruled.seed, static_cast<std::uint32_t>(seed));
}

TEST(AnswerPlan, ZeroFromTheClientIsAChoice) {
  ChatRequest request = ask();
  request.sampling.temperature = 0;
  EXPECT_TRUE(Planner().plan(request)->generate.sampling.is_greedy());
}

TEST(SamplingDefaults, FollowTheModelsOwnAdvice) {
  struct Case {
    const char* format;
    bool thinking;
    double temperature, top_p;
    int top_k;
  };
  for (const Case& one : {Case{"kimi-k2.6", true, 1.0, 0.95, 0}, {"kimi-k2.6", false, 0.6, 0.95, 0},
                          {"qwen3", true, 0.6, 0.95, 20}, {"qwen3", false, 0.7, 0.8, 20},
                          {"llama3", false, 0.7, 0.95, 0}}) {
    const auto options = sampling_options(recommended_sampling(one.format, one.thinking), 1);
    EXPECT_EQ(options.temperature, one.temperature) << one.format;
    EXPECT_EQ(options.top_p, one.top_p) << one.format;
    EXPECT_EQ(options.top_k, one.top_k) << one.format;
  }
}

TEST(AnswerPlan, LogprobsAskForAtLeastOneAlternative) {
  ChatRequest request = ask();
  EXPECT_EQ(Planner().plan(request)->generate.logprobs, 0);
  request.logprobs = 0;
  EXPECT_EQ(Planner().plan(request)->generate.logprobs, 1);
  request.logprobs = 5;
  EXPECT_EQ(Planner().plan(request)->generate.logprobs, 5);
}

}  // namespace
}  // namespace hearth::gateway
