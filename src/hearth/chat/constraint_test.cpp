// Grammars of whole tool calls: what they generate is parsed back into calls that validate.
#include "hearth/chat/constraint.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "hearth/base/random.h"
#include "hearth/chat/ids.h"
#include "hearth/chat/schema.h"
#include "support/chat_json.h"
#include "support/gbnf_interpreter.h"

namespace hearth::chat {
namespace {

using test::Gbnf;

std::vector<Tool> tool_set() {
  const auto schema = [](const char* text) { return parse_json(text).value(); };
  return {
      {"get_weather", "",
       schema(R"({"type":"object","required":["city"],"additionalProperties":false,"properties":{
         "city":{"type":"string","minLength":1},"days":{"type":"integer","minimum":1,"maximum":14},
         "unit":{"enum":["celsius","fahrenheit"]}}})")},
      {"now", "", schema(R"({"type":"object","properties":{}})")},
      {"plan", "",
       schema(R"({"type":"object","required":["stops","when","flag"],"properties":{
         "stops":{"type":"array","minItems":1,"maxItems":3,"items":{"type":"object",
           "required":["name"],"properties":{"name":{"type":"string"},
           "nights":{"type":["integer","null"]}}}},
         "when":{"type":"string","format":"date"},"flag":{"type":"boolean"},
         "either":{"anyOf":[{"type":"number","minimum":0.5,"maximum":9.5},{"type":"string"}]},
         "note":{"type":"string","maxLength":20},"free":{}}})")},
      {"bare", "", Json()}};
}

constexpr const char* all_formats[] = {"kimi-k2", "kimi-k2.5", "qwen3", "qwen3-coder",
                                       "qwen3.5", "chatml",    "llama3"};

struct Calls {
  std::vector<std::pair<std::string, std::string>> list;  // name, arguments
  std::string content;
  std::vector<std::string> ids;
  bool broken = false;
};

Calls parse(const Format& format, const std::vector<Tool>& tools, std::string_view text) {
  const auto parser = format.make_parser({.tools = tools, .thinking_open = false, .token_markers = {}});
  std::vector<Event> events = parser->push(text);
  for (Event& event : parser->finish(false)) events.push_back(std::move(event));
  Calls out;
  for (const Event& event : events) {
    if (event.kind == Event::Kind::call_begin) {
      out.list.emplace_back(event.name, "");
      out.ids.push_back(event.text);
    }
    if (event.kind == Event::Kind::content) out.content += event.text;
    if (event.kind == Event::Kind::call_end) {
      out.list.back().second = event.text;
      out.broken = out.broken || !event.complete || !event.valid_json;
    }
  }
  return out;
}

Constraint constrain(const Format& format, const ConstraintRequest& request) {
  auto constraint = make_constraint(format, request);
  EXPECT_TRUE(constraint) << constraint.error().message;
  EXPECT_TRUE(constraint->has_value());
  return std::move(**constraint);
}

class CallGrammar_ : public testing::TestWithParam<const char*> {};

TEST_P(CallGrammar_, EveryGeneratedCallParsesAndValidates) {
  const auto format = make_format(GetParam()).value();
  const auto tools = tool_set();
  const auto constraint = constrain(
      *format, {.tools = tools, .choice = {.kind = ToolChoice::Kind::required}, .response = {}});
  EXPECT_FALSE(constraint.lazy);
  const auto grammar = Gbnf::parse(constraint.grammar);
  ASSERT_TRUE(grammar) << grammar.error().message << constraint.grammar;
  Random random(17);
  std::size_t several = 0;
  std::map<std::string, int> seen;
  for (int round = 0; round < 400; ++round) {
    const std::string text = grammar->derive(random, random.below(500));
    const Calls calls = parse(*format, tools, text);
    ASSERT_FALSE(calls.list.empty()) << text;
    ASSERT_FALSE(calls.broken) << text;
    ASSERT_EQ(calls.content, "") << text;
    if (calls.list.size() > 1) ++several;
    for (const auto& [name, arguments] : calls.list) {
      ++seen[name];
      const auto tool = std::find_if(tools.begin(), tools.end(),
                                     [&](const Tool& t) { return t.name == name; });
      ASSERT_NE(tool, tools.end()) << text;
      if (tool->parameters.is_null()) continue;
      const auto schema = Schema::compile(tool->parameters, "s").value();
      const auto valid = schema.validate(parse_json(arguments).value());
      ASSERT_TRUE(valid) << text << "\n" << arguments << "\n" << valid.error().message;
    }
  }
  EXPECT_EQ(seen.size(), tools.size());
  EXPECT_EQ(several > 0, std::string_view(GetParam()) != "llama3");
}

TEST_P(CallGrammar_, NamedToolAndOneCallOnly) {
  const auto format = make_format(GetParam()).value();
  const auto constraint = constrain(
      *format, {.tools = tool_set(),
                .choice = {.kind = ToolChoice::Kind::named, .name = "plan", .parallel = false},
                .response = {}});
  const auto grammar = Gbnf::parse(constraint.grammar).value();
  Random random(2);
  for (int round = 0; round < 60; ++round) {
    const Calls calls = parse(*format, tool_set(), grammar.derive(random, 200));
    ASSERT_EQ(calls.list.size(), 1u);
    EXPECT_EQ(calls.list[0].first, "plan");
  }
}

// What we render for a call is what the grammar wants of a model.
TEST_P(CallGrammar_, AcceptsTheCallsThatAreRendered) {
  const auto format = make_format(GetParam()).value();
  const auto constraint = constrain(*format, {.tools = tool_set(), .choice = {}, .response = {}});
  EXPECT_TRUE(constraint.lazy);
  EXPECT_EQ(constraint.trigger_patterns.size() + constraint.trigger_tokens.size(), 1u);
  const auto grammar = Gbnf::parse(constraint.grammar).value();
  Message call{.role = Role::assistant};
  call.calls.push_back({.id = "a", .name = "get_weather",
                        .arguments = Json::object({{"city", "Köln \"x\""}, {"days", 3}})});
  const Conversation before{{}, {{.role = Role::user, .text = "q"}}};
  Conversation after = before;
  after.messages.push_back(call);
  std::string text = format->render(after, {.generation_prompt = false})->flat().substr(
      format->render(before, {.generation_prompt = false})->flat().size());
  const std::size_t begin = std::string_view(GetParam()) == "llama3"
                                ? text.find('{')
                                : text.find(format->call_trigger().token);
  ASSERT_NE(begin, std::string::npos);
  text = text.substr(begin);
  text = text.substr(0, text.find(format->end_tokens()[0]));
  EXPECT_TRUE(grammar.matches(text)) << text;
}

INSTANTIATE_TEST_SUITE_P(Formats, CallGrammar_, testing::ValuesIn(all_formats));

TEST(Constraint, NumbersKimisCallsFromWhereTheConversationIs) {
  const auto format = make_format("kimi-k2.5").value();
  const auto constraint = constrain(
      *format, {.tools = tool_set(), .choice = {.kind = ToolChoice::Kind::required},
                .response = {}, .calls_before = 41});
  const auto grammar = Gbnf::parse(constraint.grammar).value();
  Random random(4);
  for (int round = 0; round < 100; ++round) {
    const Calls calls = parse(*format, tool_set(), grammar.derive(random, 300));
    for (std::size_t i = 0; i < calls.ids.size(); ++i) {
      EXPECT_EQ(calls.ids[i], native_id(calls.list[i].first, 41 + i));
    }
  }
}

TEST(Constraint, UsesTokensForMarkersThatAreTokens) {
  const auto format = make_format("kimi-k2.5").value();
  std::map<std::int32_t, std::string> texts;
  ConstraintRequest request{.tools = tool_set(), .choice = {}, .response = {}};
  request.token_id = [&](std::string_view text) -> std::optional<std::int32_t> {
    const auto id = static_cast<std::int32_t>(1000 + text.size());
    texts[id] = text;
    return id;
  };
  const auto constraint = constrain(*format, request);
  EXPECT_EQ(constraint.trigger_tokens, std::vector<std::int32_t>{1028});
  EXPECT_TRUE(constraint.trigger_patterns.empty());
  EXPECT_EQ(constraint.grammar.find("<|tool"), std::string::npos);
  const auto grammar = Gbnf::parse(constraint.grammar, texts);
  ASSERT_TRUE(grammar) << grammar.error().message;
}

TEST(Constraint, ThinkingModelsAreHeldAfterTheirThinking) {
  const auto format = make_format("qwen3.5").value();
  const ConstraintRequest request{.tools = {},
                                  .choice = {},
                                  .response = {ResponseFormat::Kind::json_schema,
                                               parse_json(R"({"type":"integer"})").value()},
                                  .thinking = true};
  const auto constraint = constrain(*format, request);
  EXPECT_TRUE(constraint.lazy);
  const auto grammar = Gbnf::parse(constraint.grammar).value();
  EXPECT_TRUE(grammar.matches("</think>\n\n42"));
  EXPECT_FALSE(grammar.matches("</think>\n\nforty-two"));
}

TEST(Constraint, JsonAnswersWithOrWithoutTools) {
  const auto format = make_format("qwen3").value();
  ConstraintRequest request{.tools = {},
                            .choice = {},
                            .response = {ResponseFormat::Kind::json_object, {}}};
  auto constraint = constrain(*format, request);
  EXPECT_FALSE(constraint.lazy);
  auto grammar = Gbnf::parse(constraint.grammar).value();
  EXPECT_TRUE(grammar.matches(R"({"a": [1, {"b": null}], "c": "x"})"));
  EXPECT_FALSE(grammar.matches("[1]"));
  request.tools = tool_set();
  constraint = constrain(*format, request);
  grammar = Gbnf::parse(constraint.grammar).value();
  EXPECT_TRUE(grammar.matches(R"({"a":1})"));
  EXPECT_TRUE(grammar.matches("<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>"));
}

TEST(Constraint, NothingToEnforce) {
  const auto format = make_format("qwen3").value();
  EXPECT_FALSE(make_constraint(*format, {.tools = {}, .choice = {}, .response = {}})->has_value());
  EXPECT_FALSE(make_constraint(*format, {.tools = tool_set(),
                                         .choice = {.kind = ToolChoice::Kind::none},
                                         .response = {}})->has_value());
}

TEST(Constraint, RefusalsNameTheTool) {
  const auto format = make_format("kimi-k2").value();
  auto tools = tool_set();
  tools.push_back({"bad", "", parse_json(R"({"type":"object","properties":{
      "x":{"type":"array","uniqueItems":true}}})").value()});
  const auto refused = make_constraint(*format, {.tools = tools, .choice = {}, .response = {}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unsupported);
  EXPECT_TRUE(refused.error().message.starts_with("tools[4].parameters.properties.x.uniqueItems"))
      << refused.error().message;
  for (const ToolChoice& choice :
       {ToolChoice{.kind = ToolChoice::Kind::named, .name = "missing"}}) {
    EXPECT_EQ(make_constraint(*format, {.tools = tool_set(), .choice = choice, .response = {}})
                  .error().code, Code::invalid_argument);
  }
  EXPECT_EQ(make_constraint(*format, {.tools = {}, .choice = {.kind = ToolChoice::Kind::required},
                                      .response = {}}).error().code, Code::invalid_argument);
}

TEST(Constraint, TwoHundredToolsStayAffordable) {
  for (const char* name : {"kimi-k2.5", "qwen3", "qwen3.5"}) {
    const auto format = make_format(name).value();
    std::vector<Tool> tools;
    for (int i = 0; i < 200; ++i) {
      tools.push_back(tool_set()[2]);
      tools.back().name += std::to_string(i);
    }
    const auto constraint = constrain(*format, {.tools = tools, .choice = {}, .response = {}});
    EXPECT_LT(constraint.grammar.size(), 400'000u) << name;
    EXPECT_TRUE(Gbnf::parse(constraint.grammar));
  }
}

}  // namespace
}  // namespace hearth::chat
