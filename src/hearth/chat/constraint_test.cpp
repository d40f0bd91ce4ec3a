// Grammars of whole tool calls: what they generate is parsed back into calls that validate.
#include "hearth/chat/constraint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <set>

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
                                : text.find(format->call_trigger().markers.front());
  ASSERT_NE(begin, std::string::npos);
  text = text.substr(begin);
  text = text.substr(0, text.find(format->end_tokens()[0]));
  EXPECT_TRUE(grammar.matches(text)) << text;
}

INSTANTIATE_TEST_SUITE_P(Formats, CallGrammar_, testing::ValuesIn(all_formats));

// --- openings: whatever the parser takes for the beginning of a call is held to the grammar

struct Opening {
  const char* format;
  const char* text;  // ARGUMENTS: those of get_weather
};

const Opening openings[] = {
    {"kimi-k2.5", "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0"
                  "<|tool_call_argument_begin|>ARGUMENTS<|tool_call_end|><|tool_calls_section_end|>"},
    {"kimi-k2.5", "I look.<|tool_call_section_begin|><|tool_call_begin|>functions.get_weather:0"
                  "<|tool_call_argument_begin|>ARGUMENTS<|tool_call_end|><|tool_call_section_end|>"},
    {"kimi-k2.5", "I look.\n<|tool_call_begin|>functions.get_weather:0"
                  "<|tool_call_argument_begin|>ARGUMENTS<|tool_call_end|>"},
    {"kimi-k2", "<|tool_call_begin|>functions.get_weather:0"
                "<|tool_call_argument_begin|>ARGUMENTS<|tool_call_end|><|tool_calls_section_end|>"},
    {"kimi-k2.5", "<think>Where?<|tool_call_begin|>functions.get_weather:0"
                  "<|tool_call_argument_begin|>ARGUMENTS<|tool_call_end|>"},
    {"qwen3", "I look.\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": ARGUMENTS}\n</tool_call>"},
    {"llama3", "{\"name\": \"get_weather\", \"parameters\": ARGUMENTS}"},
    {"llama3", " \r\n\t{\"name\": \"get_weather\", \"parameters\": ARGUMENTS}"},
    {"llama3", "<|python_tag|>{\"name\": \"get_weather\", \"parameters\": ARGUMENTS}"},
    {"llama3", "\n<|python_tag|>\n{\"name\": \"get_weather\", \"parameters\": ARGUMENTS}"},
};

std::string with_arguments(const Opening& opening, std::string_view arguments) {
  std::string out = opening.text;
  constexpr std::string_view place = "ARGUMENTS";
  return out.replace(out.find(place), place.size(), arguments);
}

// As libllama does it: one between ^ and $ is held against the whole text, others are searched in it.
bool finds(const std::string& pattern, const std::string& text, std::smatch& match) {
  const std::regex regex(pattern);
  const bool is_whole = pattern.starts_with('^') && pattern.ends_with('$');
  return is_whole ? std::regex_match(text, match, regex) : std::regex_search(text, match, regex);
}

// Where the grammar begins, as libllama looks for it: token by token, what came so far each time.
std::size_t constrained_from(const Constraint& constraint, const std::string& text,
                             const std::map<std::int32_t, std::string>& tokens) {
  for (std::size_t length = 1; length <= text.size(); ++length) {
    const std::string so_far = text.substr(0, length);
    for (const std::int32_t id : constraint.trigger_tokens) {
      if (so_far.ends_with(tokens.at(id))) return length - tokens.at(id).size();
    }
    for (const std::string& pattern : constraint.trigger_patterns) {
      if (std::smatch match; finds(pattern, so_far, match)) return static_cast<std::size_t>(match.position(1));
    }
  }
  return std::string::npos;
}

// `is_token`: which markers the vocabulary has.
void check_opening(const Opening& opening, const std::function<bool(std::string_view)>& is_token) {
  const auto format = make_format(opening.format).value();
  std::map<std::int32_t, std::string> tokens;
  ConstraintRequest request{.tools = tool_set(), .choice = {}, .response = {}};
  request.token_id = [&](std::string_view text) -> std::optional<std::int32_t> {
    const auto markers = format->markers();
    const auto at = std::ranges::find(markers, text);
    if (at == markers.end() || !is_token(text)) return std::nullopt;
    const auto id = static_cast<std::int32_t>(1000 + (at - markers.begin()));
    tokens[id] = text;
    return id;
  };
  const auto constraint = constrain(*format, request);
  EXPECT_TRUE(constraint.lazy);
  const auto grammar = Gbnf::parse(constraint.grammar, tokens).value();
  const std::string good = with_arguments(opening, R"({"city": "Bonn"})");
  const Calls calls = parse(*format, tool_set(), good);
  ASSERT_EQ(calls.list.size(), 1u);
  EXPECT_FALSE(calls.broken);
  const std::size_t begin = constrained_from(constraint, good, tokens);
  ASSERT_NE(begin, std::string::npos);
  EXPECT_TRUE(grammar.matches(good.substr(begin))) << good.substr(begin);
  for (const char* bad : {R"({"city": 3})", R"({"town": "Bonn"})", "{}", "Bonn"}) {
    const std::string text = with_arguments(opening, bad);
    EXPECT_EQ(constrained_from(constraint, text, tokens), begin);
    EXPECT_FALSE(grammar.accepts_prefix(text.substr(begin))) << text;
  }
}

TEST(Constraint, HoldsCallsFromEveryOpeningThatTheParserTakes) {
  const std::set<std::string_view> singular = {"<|tool_call_section_begin|>", "<|tool_call_section_end|>"};
  for (const Opening& opening : openings) {
    SCOPED_TRACE(opening.text);
    check_opening(opening, [](std::string_view) { return true; });
    check_opening(opening, [](std::string_view) { return false; });
    check_opening(opening, [&](std::string_view marker) { return !singular.contains(marker); });
    check_opening(opening, [](std::string_view marker) { return marker != "<|tool_call_begin|>"; });
  }
}

TEST(Constraint, LeavesAnswersFreeThatOpenNoCall) {
  const Opening texts[] = {
      {"llama3", "Like this: {\"name\": \"get_weather\", \"parameters\": {}}"},
      {"llama3", "<|python_tag|>print({})"},
      {"kimi-k2.5", "<think>functions.get_weather:0</think>{\"city\": 3}<|tool_call_end|>"},
      {"qwen3", "{\"name\": \"get_weather\"}</tool_call>"},
  };
  for (const Opening& one : texts) {
    SCOPED_TRACE(one.text);
    const auto format = make_format(one.format).value();
    EXPECT_TRUE(parse(*format, tool_set(), one.text).list.empty());
    const auto constraint = constrain(*format, {.tools = tool_set(), .choice = {}, .response = {}});
    EXPECT_EQ(constrained_from(constraint, one.text, {}), std::string::npos);
  }
}

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

// The standard library's regular expressions recurse for each character of a repeated part that they take.
TEST(Constraint, ALongAnswerWithoutACallIsSearchedInNoTimeAndNoStack) {
  const std::string text(200'000, 'x');
  for (const std::string_view name : {"chatml", "qwen3", "llama3", "kimi-k2"}) {
    const auto format = make_format(name).value();
    const auto constraint = constrain(*format, {.tools = tool_set(), .choice = {}, .response = {}});
    ASSERT_FALSE(constraint.trigger_patterns.empty()) << name;
    for (const std::string& pattern : constraint.trigger_patterns) {
      std::smatch match;
      EXPECT_FALSE(finds(pattern, text, match)) << name;
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
  EXPECT_EQ(constraint.trigger_tokens, (std::vector<std::int32_t>{1028, 1027, 1019}));
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
