// Golden outputs of models: however they are cut into pieces, the events are the recorded ones.
#include <gtest/gtest.h>

#include "hearth/base/random.h"
#include "support/chat_json.h"

namespace hearth::chat {
namespace {

using test::read_text;

const std::filesystem::path golden =
    std::filesystem::path(HEARTH_SOURCE_DIR) / "tests/golden/chat/output";

std::string_view kind_name(Event::Kind kind) {
  switch (kind) {
    case Event::Kind::thinking: return "thinking";
    case Event::Kind::content: return "content";
    case Event::Kind::call_begin: return "call_begin";
    case Event::Kind::call_arguments: return "call_arguments";
    case Event::Kind::call_end: return "call_end";
    case Event::Kind::finish: return "finish";
  }
  return "";
}

std::string print(const std::vector<Event>& events) {
  std::string out;
  for (const Event& event : events) {
    Json json = Json::object({{"kind", kind_name(event.kind)}});
    if (event.kind == Event::Kind::call_begin) json.set("name", event.name);
    if (event.kind != Event::Kind::finish) json.set("text", event.text);
    if (event.kind == Event::Kind::call_end || event.kind == Event::Kind::finish) {
      json.set("complete", event.complete);
    }
    if (event.kind == Event::Kind::call_end) json.set("valid_json", event.valid_json);
    out += dump_json(json) + "\n";
  }
  return out;
}

struct Case {
  std::string output;
  std::string expected;
  ParserOptions options;
  bool cut_off = false;
};

Case read_case(const std::filesystem::path& path) {
  const Json json = parse_json(read_text(path)).value();
  Case out;
  out.output = json.find("output")->as_string();
  for (const Json& event : json.find("events")->as_array()) out.expected += dump_json(event) + "\n";
  out.options.tools = test::conversation_from_json(json).tools;
  out.options.thinking_open = get_or<bool>(json, "thinking_open", false).value();
  out.cut_off = get_or<bool>(json, "cut_off", false).value();
  return out;
}

void append(std::vector<Event>& all, std::vector<Event> more) {
  for (Event& event : more) all.push_back(std::move(event));
}

// `cuts`: positions where a new piece begins, rising.
std::string parse(const Format& format, const Case& c, const std::vector<std::size_t>& cuts) {
  const auto parser = format.make_parser(c.options);
  std::vector<Event> events;
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    append(events, parser->push(std::string_view(c.output).substr(from, cut - from)));
    from = cut;
  }
  append(events, parser->push(std::string_view(c.output).substr(from)));
  append(events, parser->finish(c.cut_off));
  return print(join_deltas(std::move(events)));
}

class OutputGolden : public testing::TestWithParam<const char*> {};

TEST_P(OutputGolden, EveryCutGivesTheSameEvents) {
  const auto format = make_format(GetParam()).value();
  int cases = 0;
  Random random(7);
  for (const auto& entry : std::filesystem::directory_iterator(golden / GetParam())) {
    SCOPED_TRACE(entry.path().filename().string());
    const Case c = read_case(entry.path());
    ++cases;
    ASSERT_EQ(parse(*format, c, {}), c.expected);
    std::vector<std::size_t> every;
    for (std::size_t i = 1; i < c.output.size(); ++i) {
      every.push_back(i);
      ASSERT_EQ(parse(*format, c, {i}), c.expected) << "cut at " << i;
    }
    ASSERT_EQ(parse(*format, c, every), c.expected) << "byte by byte";
    for (int round = 0; round < 200; ++round) {
      std::vector<std::size_t> cuts;
      const double density = random.uniform();
      for (std::size_t i = 1; i < c.output.size(); ++i) {
        if (random.chance(density)) cuts.push_back(i);
      }
      ASSERT_EQ(parse(*format, c, cuts), c.expected) << "random cuts, round " << round;
    }
  }
  EXPECT_GE(cases, 8);
}

INSTANTIATE_TEST_SUITE_P(Formats, OutputGolden,
                         testing::Values("kimi-k2.5", "qwen3", "qwen3.5", "llama3"));

// Bytes that are no characters, in every cut.
TEST(OutputParser, ShowsWholeCharactersOnly) {
  for (const char* name : {"kimi-k2.5", "qwen3", "qwen3.5", "llama3"}) {
    const auto format = make_format(name).value();
    Case c;
    c.output = "a\xE2\x82\xAC\xF0\x9F\x99\x82 \xE2\x82 b\xFF\xC3";
    c.expected = print({{.kind = Event::Kind::content,
                         .text = "a€🙂 \xEF\xBF\xBD\xEF\xBF\xBD b\xEF\xBF\xBD\xEF\xBF\xBD"},
                        {.kind = Event::Kind::finish}});
    for (std::size_t i = 1; i < c.output.size(); ++i) EXPECT_EQ(parse(*format, c, {i}), c.expected);
  }
}

struct Piece {
  std::string_view text;
  PieceKind kind;
};

std::string parse_tokens(const Format& format, ParserOptions options,
                         const std::vector<Piece>& pieces) {
  for (const auto marker : format.markers()) options.token_markers.emplace_back(marker);
  const auto parser = format.make_parser(std::move(options));
  std::vector<Event> events;
  for (const Piece& piece : pieces) append(events, parser->push(piece.text, piece.kind));
  append(events, parser->finish(false));
  return print(join_deltas(std::move(events)));
}

constexpr auto text = PieceKind::text;
constexpr auto control = PieceKind::control;
constexpr auto added = PieceKind::added;

TEST(OutputParser, SpelledMarkersAreTextWhenMarkersAreTokens) {
  const auto kimi = make_format("kimi-k2.5").value();
  EXPECT_EQ(parse_tokens(*kimi, {}, {{"say ", text}, {"<|tool_call", text}, {"_begin|>", text}}),
            print({{.kind = Event::Kind::content, .text = "say <|tool_call_begin|>"},
                   {.kind = Event::Kind::finish}}));
  const auto qwen = make_format("qwen3").value();
  EXPECT_EQ(parse_tokens(*qwen, {}, {{"<tool_call>", text}, {"</think>", text}}),
            print({{.kind = Event::Kind::content, .text = "<tool_call></think>"},
                   {.kind = Event::Kind::finish}}));
}

TEST(OutputParser, TokensOpenAndCloseCalls) {
  const auto kimi = make_format("kimi-k2.5").value();
  const std::vector<Piece> pieces = {
      {"hm", text}, {"</think>", added}, {"<|tool_calls_section_begin|>", control},
      {"<|tool_call_begin|>", control}, {"functions.", text}, {"now:0", text},
      {"<|tool_call_argument_begin|>", control}, {"{\"a\": \"", text},
      {"<|tool_call_end|>", control},  // inside a string: text
      {"\"}", text}, {"<|tool_call_end|>", control}, {"<|tool_calls_section_end|>", control},
      {"<|im_end|>", control}, {"never seen", text}};
  EXPECT_EQ(parse_tokens(*kimi, {.tools = {}, .thinking_open = true, .token_markers = {}}, pieces),
            print({{.kind = Event::Kind::thinking, .text = "hm"},
                   {.kind = Event::Kind::call_begin, .text = "functions.now:0", .name = "now"},
                   {.kind = Event::Kind::call_arguments, .text = "{\"a\": \"<|tool_call_end|>\"}"},
                   {.kind = Event::Kind::call_end, .text = "{\"a\": \"<|tool_call_end|>\"}"},
                   {.kind = Event::Kind::finish}}));
}

TEST(OutputParser, ControlTokensNeverBecomeContent) {
  for (const char* name : {"kimi-k2.5", "qwen3", "qwen3.5", "llama3", "chatml"}) {
    const auto format = make_format(name).value();
    const std::string shown = parse_tokens(
        *format, {}, {{"a", text}, {"<|unknown|>", control}, {"b", text}, {"<|im_end|>", control}});
    EXPECT_EQ(shown.find("<|"), std::string::npos) << name << shown;
  }
}

// The deltas of a call add up to the arguments that its end reports.
TEST(OutputParser, DeltasAddUp) {
  for (const char* name : {"kimi-k2.5", "qwen3", "qwen3.5", "llama3"}) {
    const auto format = make_format(name).value();
    for (const auto& entry : std::filesystem::directory_iterator(golden / name)) {
      const Case c = read_case(entry.path());
      const auto parser = format->make_parser(c.options);
      std::vector<Event> events = parser->push(c.output);
      append(events, parser->finish(c.cut_off));
      std::string sum;
      for (const Event& event : events) {
        if (event.kind == Event::Kind::call_begin) sum.clear();
        if (event.kind == Event::Kind::call_arguments) sum += event.text;
        if (event.kind == Event::Kind::call_end) {
          EXPECT_EQ(sum, event.text) << entry.path();
        }
      }
    }
  }
}

}  // namespace
}  // namespace hearth::chat
