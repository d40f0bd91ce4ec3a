// Sampled tokens to events: the same events however the text was cut into tokens, no markup ever
// shown, no error whatever the model writes.
#include "hearth/gateway/answer_pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <set>

#include "hearth/chat/format.h"
#include "tests/support/scripted_model.h"

namespace hearth::gateway {

void PrintTo(const AnswerEvent& event, std::ostream* out) {
  static constexpr const char* kinds[] = {"thinking", "text", "call"};
  *out << kinds[static_cast<int>(event.kind)] << "(" << event.name << " " << event.text << ")";
}

namespace {

using engine::FinishReason;
using Kind = AnswerEvent::Kind;

const chat::Format& kimi() {
  static const auto format = *chat::make_format("kimi-k2.5");
  return *format;
}

// Runs text through a pipeline, the ordinary text cut at random into tokens of several bytes.
class Pipe {
 public:
  explicit Pipe(bool thinking_open = false, std::vector<std::string> stops = {},
                std::uint64_t id_seed = 1)
      : model_(&kimi()), pipeline_(options(thinking_open, std::move(stops), id_seed)) {}

  Pipe& write(std::string_view text, Random* cuts = nullptr) {
    for (const Token token : model_.tokens_of(text, /*special=*/true)) {
      const std::string piece = model_.text_of(std::span(&token, 1));
      if (token < 256) {
        run_ += piece;
        if (cuts == nullptr || cuts->chance(0.4)) push_run();
      } else {
        push_run();
        push(token, piece);
      }
    }
    push_run();
    return *this;
  }
  Pipe& finish(FinishReason reason = FinishReason::end_of_generation) {
    keep(pipeline_.finish({.reason = reason, .text = assembler_.finish()}));
    return *this;
  }

  // Neighbouring pieces joined, ids left out.
  std::vector<AnswerEvent> joined() const {
    std::vector<AnswerEvent> out;
    for (AnswerEvent event : events_) {
      event.id.clear();
      event.choices.clear();
      if (!out.empty() && event.kind != Kind::call && out.back().kind == event.kind) {
        out.back().text += event.text;
      } else {
        out.push_back(std::move(event));
      }
    }
    return out;
  }
  const std::vector<AnswerEvent>& events() const { return events_; }
  const AnswerPipeline& pipeline() const { return pipeline_; }

 private:
  PipelineOptions options(bool thinking_open, std::vector<std::string> stops, std::uint64_t seed) {
    std::vector<std::string> texts;
    for (const std::string_view text : kimi().markers()) {
      texts.emplace_back(text);
      markers_[*model_.marker(text)] = {std::string(text), chat::PieceKind::control};
    }
    return {.parser = kimi().make_parser({.thinking_open = thinking_open, .token_markers = texts}),
            .markers = &markers_, .thinking_open = thinking_open, .stop_strings = std::move(stops),
            .call_id_prefix = "toolu_", .random_seed = seed};
  }
  void push_run() {
    if (!run_.empty()) push(static_cast<unsigned char>(run_[0]), std::exchange(run_, {}));
  }
  void push(Token token, const std::string& piece) {
    if (pipeline_.stopped()) return;
    keep(pipeline_.take({.token = token, .text = assembler_.add(piece)}));
  }
  void keep(std::vector<AnswerEvent> events) {
    std::ranges::move(events, std::back_inserter(events_));
  }

  test::ScriptedModel model_;
  MarkerTokens markers_;
  engine::TextAssembler assembler_{{}};
  AnswerPipeline pipeline_;
  std::string run_;
  std::vector<AnswerEvent> events_;
};

AnswerEvent thinking(std::string text) { return {.kind = Kind::thinking, .text = std::move(text)}; }
AnswerEvent text(std::string text) { return {.kind = Kind::text, .text = std::move(text)}; }
AnswerEvent call(std::string name, std::string arguments) {
  return {.kind = Kind::call, .text = std::move(arguments), .name = std::move(name)};
}
AnswerEvent unparsed(std::string name, const std::string& raw) {
  return call(std::move(name),
              dump_json(Json::object({{"__unparsedToolInput",
                                       Json::object({{"raw", raw}, {"len", raw.size()}})}})));
}

std::string section(std::string_view calls) {
  return "<|tool_calls_section_begin|>" + std::string(calls) + "<|tool_calls_section_end|>";
}
std::string one_call(std::string_view id, std::string_view arguments) {
  return "<|tool_call_begin|>" + std::string(id) + "<|tool_call_argument_begin|>" +
         std::string(arguments) + "<|tool_call_end|>";
}

struct Case {
  std::string name;
  std::string output;
  std::vector<AnswerEvent> events;
  AnswerEnd::Reason reason = AnswerEnd::Reason::end_turn;
  bool thinking_open = false;
  FinishReason finish = FinishReason::end_of_generation;
  std::vector<std::string> stops{};
  bool repeatable = true;
  std::uint32_t malformed = 0;
};

std::vector<Case> cases() {
  using Reason = AnswerEnd::Reason;
  const std::string oslo = R"({"city": "Oslo"})";
  return {
      {.name = "nothing", .output = "", .events = {}},
      {.name = "text", .output = "Grüße 👍\n", .events = {text("Grüße 👍\n")}},
      {.name = "thinking then text", .output = "hm, 日</think>Yes.",
       .events = {thinking("hm, 日"), text("Yes.")}, .thinking_open = true},
      {.name = "the model opens its own block", .output = "<think>hm</think>Yes.",
       .events = {thinking("hm"), text("Yes.")}},
      {.name = "an empty block", .output = "<think></think>Yes.", .events = {text("Yes.")}},
      {.name = "text then a call", .output = "Look." + section(one_call("functions.now:0", oslo)),
       .events = {text("Look."), call("now", oslo)}, .reason = Reason::calls},
      {.name = "a call inside thinking",
       .output = "hm" + section(one_call("functions.now:0", oslo)),
       .events = {thinking("hm"), call("now", oslo)}, .reason = Reason::calls,
       .thinking_open = true},
      {.name = "several calls, wrong index, other id forms",
       .output = section(one_call("functions.a:7", "{}") + one_call("b", R"({"x":1})") +
                         one_call("c:0", "{}")),
       .events = {call("a", "{}"), call("b", R"({"x":1})"), call("c", "{}")},
       .reason = Reason::calls},
      {.name = "sections in the singular",
       .output = "<|tool_call_section_begin|>" + one_call("functions.a:0", "{}") +
                 "<|tool_call_section_end|>",
       .events = {call("a", "{}")}, .reason = Reason::calls},
      {.name = "a section that never ends",
       .output = "<|tool_calls_section_begin|>" + one_call("functions.a:0", "{}"),
       .events = {call("a", "{}")}, .reason = Reason::calls},
      {.name = "a call without arguments", .output = section(one_call("functions.a:0", "")),
       .events = {call("a", "{}")}, .reason = Reason::calls},
      {.name = "text after the calls",
       .output = section(one_call("functions.a:0", "{}")) + "Done.",
       .events = {call("a", "{}"), text("Done.")}, .reason = Reason::calls},
      {.name = "arguments that are no JSON",
       .output = section(one_call("functions.a:0", "city=Oslo")),
       .events = {unparsed("a", "city=Oslo")}, .reason = Reason::calls, .malformed = 1},
      {.name = "arguments that are no object", .output = section(one_call("functions.a:0", "[1]")),
       .events = {unparsed("a", "[1]")}, .reason = Reason::calls, .malformed = 1},
      {.name = "arguments nested too deep",
       .output = section(one_call("functions.a:0", R"({"a":)" + std::string(70, '[') +
                                                       std::string(70, ']') + "}")),
       .events = {unparsed("a", R"({"a":)" + std::string(70, '[') + std::string(70, ']') + "}")},
       .reason = Reason::calls, .malformed = 1},
      {.name = "a call that is left for another",
       .output = section("<|tool_call_begin|>functions.a:0<|tool_call_argument_begin|>{\"x\":" +
                         one_call("functions.b:1", "{}")),
       .events = {unparsed("a", "{\"x\":"), call("b", "{}")}, .reason = Reason::calls,
       .malformed = 1},
      {.name = "a call that the turn ends in",
       .output = "<|tool_calls_section_begin|><|tool_call_begin|>functions.a:0"
                 "<|tool_call_argument_begin|>{\"x\":",
       .events = {unparsed("a", "{\"x\":")}, .reason = Reason::calls, .malformed = 1},
      {.name = "a call that the limit cuts off",
       .output = "So:<|tool_calls_section_begin|><|tool_call_begin|>functions.a:0"
                 "<|tool_call_argument_begin|>{\"x\":",
       .events = {text("So:")}, .reason = Reason::tokens_max, .finish = FinishReason::token_limit,
       .repeatable = false},
      {.name = "a name that the limit cuts off",
       .output = "<|tool_calls_section_begin|><|tool_call_begin|>functi", .events = {},
       .reason = Reason::tokens_max, .finish = FinishReason::token_limit, .repeatable = false},
      {.name = "whole calls before the limit",
       .output = "<|tool_calls_section_begin|>" + one_call("functions.a:0", "{}") +
                 "<|tool_call_begin|>functions.b:1<|tool_call_argument_begin|>{",
       .events = {call("a", "{}")}, .reason = Reason::calls, .finish = FinishReason::token_limit,
       .repeatable = false},
      {.name = "text that the window cuts off", .output = "half a senten",
       .events = {text("half a senten")}, .reason = Reason::tokens_max,
       .finish = FinishReason::context_full, .repeatable = false},
      {.name = "thinking that the limit cuts off", .output = "hm", .events = {thinking("hm")},
       .reason = Reason::tokens_max, .thinking_open = true, .finish = FinishReason::token_limit,
       .repeatable = false},
      {.name = "a stop string", .output = "one ###two", .events = {text("one ")},
       .reason = Reason::stop_string, .stops = {"###"}, .repeatable = false},
      {.name = "the beginning of a stop string", .output = "one ##", .events = {text("one ##")},
       .stops = {"###"}},
      {.name = "a stop string in thinking", .output = "a###b</think>c",
       .events = {thinking("a###b"), text("c")}, .thinking_open = true, .stops = {"###"}},
      {.name = "a stop string in arguments", .output = section(one_call("functions.a:0", R"({"x":"###"})")),
       .events = {call("a", R"({"x":"###"})")}, .reason = Reason::calls, .stops = {"###"}},
      {.name = "half a stop string before a call",
       .output = "a##" + section(one_call("functions.a:0", "{}")) + "#",
       .events = {text("a##"), call("a", "{}"), text("#")}, .reason = Reason::calls,
       .stops = {"###"}},
      {.name = "a stop string across thinking", .output = "a##<think>b</think>#c",
       .events = {text("a##"), thinking("b"), text("#c")}, .stops = {"###"}},
      {.name = "stray markers", .output = "a<|tool_call_end|><|im_middle|>b<|tool_calls_section_end|>c",
       .events = {text("abc")}},
      {.name = "a section without calls", .output = section("what?"), .events = {text("what?")}},
      {.name = "a call without a name",
       .output = section(one_call("", R"({"x":1})")), .events = {text(R"({"x":1})")}},
  };
}

TEST(AnswerPipeline, SaysTheSameHoweverTheTextIsCut) {
  for (const Case& one : cases()) {
    SCOPED_TRACE(one.name);
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      Random cuts(seed);
      Pipe pipe(one.thinking_open, one.stops);
      pipe.write(one.output, seed == 0 ? nullptr : &cuts).finish(one.finish);
      ASSERT_EQ(pipe.joined(), one.events);
      ASSERT_EQ(pipe.pipeline().reason(), one.reason);
      ASSERT_EQ(pipe.pipeline().is_repeatable(), one.repeatable);
      ASSERT_EQ(pipe.pipeline().calls_malformed(), one.malformed);
    }
  }
}

TEST(AnswerPipeline, MarkersSpelledInOrdinaryTextAreText) {
  std::vector<AnswerEvent> events;
  AnswerPipeline raw({.parser = kimi().make_parser({.token_markers = {"<|tool_calls_section_begin|>",
                                                                      "<|im_end|>"}})});
  const std::string said = "quote: <|im_end|> and <|tool_calls_section_begin|>";
  for (const char c : said) {
    for (auto& event : raw.take({.token = c, .text = std::string(1, c)})) events.push_back(event);
  }
  for (auto& event : raw.finish({})) events.push_back(event);
  std::string shown;
  for (const AnswerEvent& event : events) {
    EXPECT_EQ(event.kind, Kind::text);
    shown += event.text;
  }
  EXPECT_EQ(shown, said);
}

// Arbitrary markup: no markers shown, arguments are always an object, the turn says what was shown.
TEST(AnswerPipeline, AnyOutputIsAnAnswer) {
  const std::vector<std::string> words = [] {
    std::vector<std::string> out{"a", "é", "{", "}", "\"x\":1", "functions.f:0", "\n", "###", "{}"};
    for (const std::string_view marker : kimi().markers()) out.emplace_back(marker);
    return out;
  }();
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::string output;
    for (auto left = random.below(30); left > 0; --left) output += words[random.below(words.size())];
    Pipe pipe(random.chance(0.5), {"###"});
    pipe.write(output, &random).finish(random.chance(0.3) ? FinishReason::token_limit
                                                          : FinishReason::end_of_generation);
    std::string shown_text;
    std::string shown_thinking;
    std::size_t calls = 0;
    for (const AnswerEvent& event : pipe.joined()) {
      ASSERT_EQ(event.text.find("<|"), std::string::npos) << output;
      if (event.kind == Kind::text) shown_text += event.text;
      if (event.kind == Kind::thinking) shown_thinking += event.text;
      if (event.kind != Kind::call) continue;
      ++calls;
      const auto arguments = parse_json(event.text);
      ASSERT_TRUE(arguments && arguments->is_object()) << event.text;
      ASSERT_FALSE(event.name.empty());
    }
    const chat::Message& turn = pipe.pipeline().turn();
    ASSERT_EQ(turn.text, shown_text);
    ASSERT_EQ(turn.thinking, shown_thinking);
    ASSERT_EQ(turn.calls.size(), calls);
    ASSERT_EQ(pipe.pipeline().reason() == AnswerEnd::Reason::stop_string,
              pipe.pipeline().stop_string() == "###");
  }
}

TEST(AnswerPipeline, IdsAreUniqueOverTenThousandCallsAndManyAnswers) {
  std::set<std::string> ids;
  std::size_t calls = 0;
  std::string output;
  for (int i = 0; i < 100; ++i) output += one_call("functions.a:0", "{}");
  for (std::uint64_t answer = 0; answer < 100; ++answer) {
    Pipe pipe(false, {}, answer);
    pipe.write(section(output)).finish();
    for (const AnswerEvent& event : pipe.events()) {
      ++calls;
      ids.insert(event.id);
      ASSERT_TRUE(event.id.starts_with("toolu_"));
    }
  }
  EXPECT_EQ(calls, 10'000U);
  EXPECT_EQ(ids.size(), calls);
}

TEST(AnswerPipeline, RememberedTurnHasTheIdsThatTheClientGot) {
  Pipe pipe;
  pipe.write("So." + section(one_call("functions.a:3", R"({"b": 1, "a": 2})"))).finish();
  const chat::Message& turn = pipe.pipeline().turn();
  ASSERT_EQ(turn.calls.size(), 1U);
  EXPECT_EQ(turn.calls[0].id, pipe.events().back().id);
  EXPECT_EQ(turn.calls[0].arguments, Json::object({{"b", 1}, {"a", 2}}));
}

TEST(AnswerPipeline, CountsThinkingApart) {
  Pipe pipe(/*thinking_open=*/true);
  pipe.write("abc</think>de").finish();
  EXPECT_EQ(pipe.pipeline().answer_tokens(), 6U);
  EXPECT_EQ(pipe.pipeline().thinking_tokens(), 4U);  // its closing marker included
}

}  // namespace
}  // namespace hearth::gateway
