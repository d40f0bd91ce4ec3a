// Golden transcripts: tests/golden/gateway/DIALECT/NAME/ holds, as far as a case needs them,
//
//   request.json   the body that a client sends
//   parsed.json    what parse makes of it: request_json of tests/support/gateway_json.h (members
//                  with default values are left out), or for a refused one
//                  {"refused": {"kind","message","field"}, "status": 400, "body": {...}}
//   events.json    what the writer is told, a list of steps, the first is begin, the last is end or
//                  error:
//                    {"begin": USAGE}   USAGE: {"prompt": 90, "cached": 64, "answer": 5, "thinking": 2}
//                    {"heartbeat": true}, or {"heartbeat": [5, 12]}: tokens of the prompt read, and all
//                    {"thinking": "piece"}
//                    {"text": "piece", "choices": [{"text", "logprob", "top": [["a", -0.5], ...]}]}
//                    {"call": {"id": "toolu_1", "name": "now", "arguments": "{\"city\":\"Oslo\"}"}}
//                    {"end": {"reason": "end_turn|tokens_max|stop_string|calls",
//                             "stop_string": "###", "usage": USAGE,
//                             "times": {"prompt_ms", "answer_ms", "prefilled_by", "handed_tokens"}}}
//                    {"error": {"kind": "overloaded", "message", "field", "prompt_tokens",
//                               "prompt_tokens_max", "retry_after_s"}}
//   stream.sse     what the writer made of them, byte for byte
//   whole.json     the answer that is not streamed; after error {"status": 529, "body": {...}}
//
// A name that begins with "count" is parsed as counting (the count_tokens of its dialect).
// HEARTH_UPDATE_GOLDEN=1 writes what differs and fails all the same: look at what was written.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ostream>

#include "tests/support/gateway_json.h"

namespace hearth::gateway {
namespace {

namespace fs = std::filesystem;
using test::WriterStep;

struct GoldenDialect {
  const char* folder;
  std::unique_ptr<Dialect> (*make)();
  std::size_t cases_min;
};

void PrintTo(const GoldenDialect& dialect, std::ostream* out) { *out << dialect.folder; }

const fs::path golden = fs::path(HEARTH_SOURCE_DIR) / "tests/golden/gateway";
constexpr std::string_view request_id = "req_golden";

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), {});
}

Json read_json_file(const fs::path& path) {
  auto json = parse_json(read(path));
  EXPECT_TRUE(json) << path << ": " << json.error().message;
  return json ? *std::move(json) : Json();
}

void expect_file(const fs::path& path, const std::string& actual) {
  const std::string expected = read(path);
  EXPECT_EQ(actual, expected) << path.filename();
  if (actual == expected || std::getenv("HEARTH_UPDATE_GOLDEN") == nullptr) return;
  std::ofstream(path, std::ios::binary) << actual;
}

void expect_json(const fs::path& path, const Json& actual) {
  expect_file(path, dump_json(actual, 2) + "\n");
}

Json refusal_json(const Dialect& dialect, const ApiError& error) {
  return Json::object({{"status", dialect.error_status(error)},
                       {"body", dialect.error_body(error, request_id)}});
}

Json parsed_json(const Dialect& dialect, const ApiResult<ChatRequest>& parsed) {
  if (parsed) return test::request_json(*parsed);
  Json out = Json::object({{"refused", test::error_json(parsed.error())}});
  const Json answer = refusal_json(dialect, parsed.error());
  for (const auto& [key, value] : answer.as_object()) out.set(key, value);
  return out;
}

std::string stream(const Dialect& dialect, const ChatRequest& request,
                   const std::vector<WriterStep>& steps) {
  std::string out;
  const auto writer = dialect.make_writer(test::golden_info(), request);
  for (const WriterStep& step : steps) test::apply(step, *writer, out);
  return out;
}

void check_case(const Dialect& dialect, const fs::path& folder) {
  const bool counting = folder.filename().string().starts_with("count");
  const auto parsed = dialect.parse(read_json_file(folder / "request.json"), counting);
  expect_json(folder / "parsed.json", parsed_json(dialect, parsed));
  if (!fs::exists(folder / "events.json")) return;
  ASSERT_TRUE(parsed);
  const auto steps = test::steps_from_json(read_json_file(folder / "events.json"));
  ASSERT_FALSE(steps.empty());
  expect_file(folder / "stream.sse", stream(dialect, *parsed, steps));
  const bool broken = steps.back().kind == WriterStep::Kind::error;
  expect_json(folder / "whole.json",
              broken ? refusal_json(dialect, steps.back().error)
                     : dialect.whole(test::golden_info(), *parsed, test::whole_answer(steps)));
}

class DialectGolden : public testing::TestWithParam<GoldenDialect> {};

TEST_P(DialectGolden, EqualsTheTranscripts) {
  const auto dialect = GetParam().make();
  std::vector<fs::path> cases;
  for (const auto& entry : fs::directory_iterator(golden / GetParam().folder)) {
    cases.push_back(entry.path());
  }
  std::sort(cases.begin(), cases.end());
  EXPECT_GE(cases.size(), GetParam().cases_min);
  for (const fs::path& folder : cases) {
    SCOPED_TRACE(folder.filename().string());
    check_case(*dialect, folder);
  }
}

// One line a dialect: folder, maker, and how many transcripts there are at least.
INSTANTIATE_TEST_SUITE_P(
    Dialects, DialectGolden,
    testing::Values(GoldenDialect{"anthropic", make_anthropic_messages, 80},
                    GoldenDialect{"openai_chat", make_openai_chat, 140},
                    GoldenDialect{"openai_completions", make_openai_completions, 55},
                    GoldenDialect{"openai_responses", make_openai_responses, 100}),
    [](const auto& parameter) { return std::string(parameter.param.folder); });

}  // namespace
}  // namespace hearth::gateway
