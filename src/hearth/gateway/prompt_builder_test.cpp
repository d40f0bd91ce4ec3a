// Prompts: what was computed once stays a prefix, whatever clients do to the history; what a client
// writes never becomes markup.
#include "hearth/gateway/prompt_builder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "hearth/base/file.h"
#include "tests/support/scripted_model.h"

namespace hearth::gateway {
namespace {

using chat::Message;
using chat::Role;
using test::ScriptedModel;

constexpr std::string_view kimi = "kimi-k2.5";

// A model with a builder before it, and the turns it has given.
class Chat {
 public:
  explicit Chat(std::string_view format_name = kimi, test::ScriptedModelOptions options = {})
      : format_(*chat::make_format(format_name)), model_(format_.get(), std::move(options)),
        builder_(model_, *format_) {
    EXPECT_TRUE(builder_.learn_markers({}));
  }

  ScriptedModel& model() { return model_; }
  PromptBuilder& builder() { return builder_; }

  ApiResult<Prompt> build(chat::Conversation conversation) {
    return builder_.build({.conversation = std::move(conversation)}, /*thinking=*/true, {});
  }

  // The turn that the model answers `prompt` with, remembered.
  Message answer(const Prompt& prompt, std::string_view output, std::string handle = {}, TurnOwner owner = {}) {
    AnswerPipeline pipeline({.parser = format_->make_parser(
                                 {.tools = prompt.conversation.tools,
                                  .thinking_open = prompt.thinking_open,
                                  .token_markers = builder_.marker_texts()}),
                             .markers = &builder_.markers(),
                             .thinking_open = prompt.thinking_open});
    sampled_ = model_.tokens_of(output, /*special=*/true);
    for (const Token token : sampled_) {
      (void)pipeline.take({.token = token, .text = model_.text_of(std::span(&token, 1))});
    }
    (void)pipeline.finish({});
    EXPECT_TRUE(pipeline.is_repeatable());
    Message turn = pipeline.turn();
    turn.handle = std::move(handle);
    builder_.remember(prompt, turn, pipeline.tokens(), std::move(owner));
    return turn;
  }
  const std::vector<Token>& sampled() const { return sampled_; }

 private:
  std::unique_ptr<chat::Format> format_;
  ScriptedModel model_;
  PromptBuilder builder_;
  std::vector<Token> sampled_;
};

chat::Conversation question(std::string text = "What time is it?") {
  chat::Conversation out;
  out.tools = {{.name = "now", .description = "tells the time",
                .parameters = *parse_json(R"({"type":"object"})")}};
  out.messages = {{.role = Role::system, .text = "Be brief."},
                  {.role = Role::user, .text = std::move(text)}};
  return out;
}

// As clients send turns back: without thinking, arguments parsed and printed anew.
Message echoed(Message turn) {
  turn.thinking.clear();
  for (chat::ToolCall& call : turn.calls) {
    if (call.arguments.as_object().empty()) continue;
    auto& members = call.arguments.as_object();
    std::ranges::reverse(members);
  }
  return turn;
}

Message result(std::string id, std::string text) {
  return {.role = Role::tool, .text = std::move(text), .call_id = std::move(id)};
}

void expect_continues(const std::vector<Token>& next, std::vector<Token> before,
                      const std::vector<Token>& sampled) {
  before.insert(before.end(), sampled.begin(), sampled.end());
  ASSERT_GT(next.size(), before.size());
  EXPECT_TRUE(std::equal(before.begin(), before.end(), next.begin()));
}

// The model's own spacing, key order and wrong index: nothing that rendering would give.
constexpr std::string_view two_calls =
    "I look.</think>Look:<|tool_calls_section_begin|>"
    "<|tool_call_begin|>functions.now:4<|tool_call_argument_begin|>{ \"zone\":\"UTC\",  \"a\":1.0 }"
    "<|tool_call_end|><|tool_call_begin|>functions.now:9<|tool_call_argument_begin|>{}"
    "<|tool_call_end|><|tool_calls_section_end|>";

class Remembered : public testing::TestWithParam<const char*> {};

TEST_P(Remembered, TheNextPromptContinuesWhatWasSampled) {
  Chat chat(GetParam());
  chat::Conversation conversation = question();
  for (int turn = 0; turn < 4; ++turn) {
    const auto prompt = chat.build(conversation);
    ASSERT_TRUE(prompt);
    EXPECT_EQ(prompt->turns_remembered, static_cast<std::size_t>(turn));
    EXPECT_EQ(prompt->turns_rendered, 0U);
    const std::string thought = prompt->thinking_open ? "let me see </think>" : "";
    conversation.messages.push_back(
        echoed(chat.answer(*prompt, thought + "It is  late, don't you\tthink?")));
    conversation.messages.push_back({.role = Role::user, .text = "And now?"});
    const auto next = chat.build(conversation);
    ASSERT_TRUE(next);
    expect_continues(next->tokens, prompt->tokens, chat.sampled());
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Remembered,
                         testing::Values("kimi-k2.5", "kimi-k2.6", "kimi-k2", "qwen3", "qwen3.5",
                                         "chatml", "llama3"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::erase_if(name, [](char c) { return c == '-' || c == '.'; });
                           return name;
                         });

TEST(PromptBuilder, ToolTurnsAreRememberedWithIdsRewrittenAndResultsOutOfOrder) {
  Chat chat;
  chat::Conversation conversation = question();
  const auto prompt = chat.build(conversation);
  ASSERT_TRUE(prompt);
  Message turn = echoed(chat.answer(*prompt, two_calls));
  const std::vector<Token> sampled = chat.sampled();
  ASSERT_EQ(turn.calls.size(), 2U);

  const auto follow = [&](const Message& sent, std::size_t first, std::size_t second) {
    chat::Conversation next = conversation;
    next.messages.push_back(sent);
    for (const std::size_t i : {first, second}) {
      next.messages.push_back(result(sent.calls[i].id, "result " + std::to_string(i)));
    }
    next.messages.push_back({.role = Role::user, .text = "Well?"});
    return chat.build(next);
  };
  const auto plain = follow(turn, 0, 1);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->turns_remembered, 1U);
  EXPECT_EQ(plain->calls_before, 2U);
  expect_continues(plain->tokens, prompt->tokens, sampled);
  EXPECT_EQ(follow(turn, 1, 0)->tokens, plain->tokens);
  turn.calls[0].id = "call_of_another_gateway_0";
  turn.calls[1].id = "call_of_another_gateway_1";
  EXPECT_EQ(follow(turn, 1, 0)->tokens, plain->tokens);
}

// A server, and the one that is started after it.
class KeptTurns : public testing::Test {
 protected:
  // Whether the second server goes on from what the first one sampled.
  bool is_known_after_restart(const TurnOwner& owner, const std::function<void(PromptBuilder&)>& before_the_end = {}) {
    chat::Conversation conversation = question();
    std::vector<Token> known;
    {
      Chat chat;
      EXPECT_TRUE(chat.builder().keep_turns(file_));
      const auto prompt = chat.build(conversation);
      const Message turn = echoed(chat.answer(*prompt, two_calls, {}, owner));
      known = prompt->tokens;
      known.insert(known.end(), chat.sampled().begin(), chat.sampled().end());
      conversation.messages.push_back(turn);
      for (const chat::ToolCall& call : turn.calls) conversation.messages.push_back(result(call.id, "noon"));
      if (before_the_end) before_the_end(chat.builder());
    }
    Chat chat;
    EXPECT_TRUE(chat.builder().keep_turns(file_));
    const auto next = chat.build(conversation);
    EXPECT_EQ(next->turns_remembered + next->turns_rendered, 1U);
    const bool is_known = next->turns_remembered == 1;
    if (is_known) expect_continues(next->tokens, known, {});
    return is_known;
  }

  TemporaryDirectory folder_ = TemporaryDirectory::create("hearth-kept-turns").value();
  std::filesystem::path file_ = folder_.path() / "chunks.turns.db";
};

TEST_F(KeptTurns, AConversationGoesOnFromWhatWasSampledBeforeTheRestart) {
  EXPECT_TRUE(is_known_after_restart({}));
}

TEST_F(KeptTurns, LabelledTurnsAreNeverOnTheDisk) {
  EXPECT_FALSE(is_known_after_restart({.is_labelled = true}));
}

TEST_F(KeptTurns, TurnsOfAForgottenSessionAreGoneHereAndThere) {
  const auto forget = [](std::string user) {
    return [user](PromptBuilder& prompts) {
      EXPECT_TRUE(prompts.forget(user, Deadline::after(std::chrono::seconds(60))));
    };
  };
  EXPECT_FALSE(is_known_after_restart({.user = "ann"}, forget("ann")));
  EXPECT_TRUE(is_known_after_restart({.user = "ann"}, forget("bob")));
}

// Ids of any make, also after a restart: the position alone says what the model sees.
TEST(PromptBuilder, FiveHundredCallsAreNumberedByTheirPosition) {
  const auto history = [](const std::string& id_prefix) {
    chat::Conversation out = question();
    for (int i = 0; i < 500; ++i) {
      const std::string id = id_prefix + std::to_string(i);
      out.messages.push_back({.role = Role::assistant, .calls = {{.id = id, .name = "now"}}});
      out.messages.push_back(result(id, "noon"));
    }
    return out;
  };
  Chat before;
  Chat after_restart;
  const auto first = before.build(history("toolu_"));
  ASSERT_TRUE(first);
  EXPECT_EQ(after_restart.build(history("call_"))->tokens, first->tokens);
  EXPECT_EQ(first->calls_before, 500U);
  const std::string shown = before.model().text_of(first->tokens);
  EXPECT_NE(shown.find("functions.now:499<|tool_call_argument_begin|>"), std::string::npos);
  EXPECT_EQ(shown.find("toolu_"), std::string::npos);
}

TEST(PromptBuilder, CallsThatWereNoJsonComeBackAsTheyWere) {
  Chat chat;
  chat::Conversation conversation = question();
  const auto prompt = chat.build(conversation);
  Message turn = chat.answer(*prompt,
                             "</think><|tool_calls_section_begin|><|tool_call_begin|>functions.now:0"
                             "<|tool_call_argument_begin|>zone=UTC<|tool_call_end|>"
                             "<|tool_calls_section_end|>");
  ASSERT_EQ(turn.calls.at(0).raw_arguments, "zone=UTC");
  turn.calls[0].raw_arguments.clear();  // as the client says it
  turn.calls[0].arguments = *parse_json(R"({"__unparsedToolInput":{"raw":"zone=UTC","len":8}})");
  conversation.messages.push_back(turn);
  conversation.messages.push_back(result(turn.calls[0].id, "invalid input"));
  const auto next = chat.build(conversation);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->turns_remembered, 1U);
  expect_continues(next->tokens, prompt->tokens, chat.sampled());
}

TEST(PromptBuilder, AHandleFindsATurnWhoseHistoryWasCompacted) {
  Chat chat;
  const auto prompt = chat.build(question());
  const Message turn = chat.answer(*prompt, "so</think>Noon.", "handle-1");
  const auto after_compaction = [&](Message sent) {
    chat::Conversation next = question("A summary of what was said.");
    next.messages.push_back(std::move(sent));
    next.messages.push_back({.role = Role::user, .text = "Go on."});
    return chat.build(next)->turns_remembered;
  };
  EXPECT_EQ(after_compaction(turn), 1U);
  Message changed = turn;
  changed.text = "Midnight.";
  EXPECT_EQ(after_compaction(changed), 0U);
  Message unsigned_turn = turn;
  unsigned_turn.handle.clear();
  EXPECT_EQ(after_compaction(unsigned_turn), 0U);
}

TEST(PromptBuilder, VolatileHeadersAndToolOrderDoNotChangeThePrompt) {
  Chat chat;
  chat::Conversation first = question();
  first.tools.push_back({.name = "add", .description = "adds", .parameters = Json()});
  chat::Conversation second = first;
  std::ranges::reverse(second.tools);
  first.messages.insert(first.messages.begin(),
                        {.role = Role::system, .text = "x-anthropic-billing-header: cch=1;"});
  second.messages.insert(second.messages.begin(),
                         {.role = Role::system, .text = "x-anthropic-billing-header: cch=2;"});
  EXPECT_EQ(chat.build(first)->tokens, chat.build(second)->tokens);
}

TEST(PromptBuilder, ClientsCannotSpellMarkup) {
  for (const std::string_view name : chat::format_names()) {
    SCOPED_TRACE(name);
    Chat chat(name);
    std::string markup;
    for (const std::string& marker : chat.builder().marker_texts()) markup += marker + " ";
    const auto conversation = [](const std::string& text) {
      chat::Conversation out = question(text);
      out.messages[0].text += text;
      out.tools[0].description += text;
      out.tools[0].parameters = Json::object(
          {{"type", "object"}, {"properties", Json::object({{text, Json::object({{"description", text}})}})}});
      Message turn{.role = Role::assistant, .text = text, .thinking = text};
      turn.calls = {{.id = "1", .name = "now", .arguments = Json::object({{text, text}})}};
      out.messages.push_back(turn);
      out.messages.push_back(result("1", text));
      return out;
    };
    const auto markers_in = [&](const std::string& text) {
      std::vector<Token> out;
      const auto prompt = chat.build(conversation(text));
      EXPECT_TRUE(prompt) << prompt.error().message;
      std::ranges::copy_if(prompt->tokens, std::back_inserter(out), [](Token t) { return t >= 256; });
      return out;
    };
    const auto harmless = markers_in("harmless");
    EXPECT_FALSE(harmless.empty());
    EXPECT_EQ(markers_in(markup), harmless);
  }
}

TEST(PromptBuilder, TextsAreTokenisedOnce) {
  Chat chat;
  chat::Conversation conversation = question();
  ASSERT_TRUE(chat.build(conversation));
  const std::size_t calls = chat.model().tokenize_calls();
  ASSERT_TRUE(chat.build(conversation));
  EXPECT_EQ(chat.model().tokenize_calls(), calls);
  conversation.messages[1].text += "!";
  ASSERT_TRUE(chat.build(conversation));
  EXPECT_EQ(chat.model().tokenize_calls(), calls + 1);
}

TEST(PromptBuilder, RefusesWithTheClientsWords) {
  Chat chat;
  chat::Conversation conversation = question();
  conversation.messages.push_back(result("toolu_lost", "x"));
  const auto stray = chat.build(conversation);
  ASSERT_FALSE(stray);
  EXPECT_EQ(stray.error().kind, ApiError::Kind::invalid_request);
  EXPECT_NE(stray.error().message.find("toolu_lost"), std::string::npos);

  chat.model().set_ready(false);
  const auto busy = chat.build(question("never seen"));
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().kind, ApiError::Kind::overloaded);
  EXPECT_TRUE(busy.error().retry_after);
}

TEST(PromptBuilder, RawPromptsAreContinuedAsTheyAre) {
  test::ScriptedModelOptions options;
  options.facts.bos_token = 7;
  options.facts.adds_bos = true;
  Chat chat(kimi, options);
  const auto raw = [&](RawPrompt prompt) {
    return chat.builder().build({.raw_prompt = std::move(prompt)}, /*thinking=*/true, {});
  };
  EXPECT_EQ(raw("ab")->tokens, (std::vector<Token>{7, 'a', 'b'}));
  EXPECT_EQ(raw("<|im_end|>")->tokens.size(), 11U);  // text
  EXPECT_EQ(raw(std::vector<Token>{1, 2})->tokens, (std::vector<Token>{1, 2}));
  EXPECT_EQ(raw("")->tokens, (std::vector<Token>{7}));
  for (const Token bad : {-1, 256 + 20, 1 << 30}) {
    const auto refused = raw(std::vector<Token>{1, bad});
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().field, "prompt");
  }
  EXPECT_FALSE(raw(std::vector<Token>{}));
  EXPECT_EQ(chat.build(question())->tokens.front(), 7);
}

TEST(PromptBuilder, KnowsWhichMarkersPlainTextGives) {
  Chat chat;
  const MarkerTokens& markers = chat.builder().markers();
  EXPECT_EQ(markers.at(*chat.model().marker("<think>")).kind, chat::PieceKind::added);
  EXPECT_EQ(markers.at(*chat.model().marker("<|im_end|>")).kind, chat::PieceKind::control);
}

}  // namespace
}  // namespace hearth::gateway
