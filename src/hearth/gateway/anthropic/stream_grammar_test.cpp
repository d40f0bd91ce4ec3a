// Whatever the model does, the stream keeps the rules that clients insist on, and says the same as
// the answer that is not streamed.
#include <gtest/gtest.h>

#include <algorithm>

#include "hearth/base/random.h"
#include "hearth/gateway/anthropic/handles.h"
#include "tests/support/anthropic_stream.h"
#include "tests/support/random_answer.h"

namespace hearth::gateway {
namespace {

using test::WriterStep;

ChatRequest random_request(Random& random) {
  ChatRequest out{.model = "m"};
  if (random.chance(0.8)) out.thinking = random.chance(0.7);
  if (random.chance(0.3)) out.extra = Json::object({{"omit_thinking", true}});
  if (random.chance(0.1)) out.tokens_max = 0;
  out.marks_cache = random.chance(0.5);
  return out;
}

// Neighbouring texts are one text to a client; a heartbeat block says nothing.
Json joined_content(const Json& message) {
  Json out = Json::array();
  for (const Json& block : message.find("content")->as_array()) {
    const std::string type = block.find("type")->as_string();
    const Json* signature = block.find("signature");
    if (signature != nullptr && signature->as_string() == anthropic::heartbeat_handle) continue;
    Json* last = out.as_array().empty() ? nullptr : &out.as_array().back();
    if (type == "tool_use" || last == nullptr || last->find("type")->as_string() != type) {
      out.push(block);
    } else {
      last->set(type, last->find(type)->as_string() + block.find(type)->as_string());
    }
  }
  return out;
}

TEST(AnthropicStreamTest, KeepsItsGrammarAndEqualsTheWholeAnswer) {
  const auto dialect = make_anthropic_messages();
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const ChatRequest request = random_request(random);
    const auto steps = test::random_steps(random);
    std::string bytes;
    const auto writer = dialect->make_writer(test::golden_info(), request);
    for (const WriterStep& step : steps) test::apply(step, *writer, bytes);
    const auto stream = test::read_anthropic_stream(bytes);
    ASSERT_EQ(stream.complaints, std::vector<std::string>{}) << bytes;
    ASSERT_EQ(stream.failed, steps.back().kind == WriterStep::Kind::error);
    if (stream.failed) continue;
    const Json whole = dialect->whole(test::golden_info(), request, test::whole_answer(steps));
    ASSERT_EQ(dump_json(joined_content(stream.message)), dump_json(joined_content(whole)));
    Json streamed = stream.message;
    streamed.set("content", *whole.find("content"));
    for (const auto& [key, value] : whole.as_object()) {
      if (key == "usage") continue;
      ASSERT_EQ(dump_json(*streamed.find(key)), dump_json(value)) << key;
    }
    for (const char* count : {"input_tokens", "cache_read_input_tokens",
                              "cache_creation_input_tokens", "output_tokens"}) {
      ASSERT_EQ(*streamed.find("usage")->find(count), *whole.find("usage")->find(count)) << count;
    }
  }
}

TEST(AnthropicStreamTest, InputCountsAddUpToThePrompt) {
  const auto dialect = make_anthropic_messages();
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const ChatRequest request = random_request(random);
    const WholeAnswer answer{{}, test::random_end(random)};
    const Json whole = dialect->whole(test::golden_info(), request, answer);
    const auto count = [&](const char* key) {
      return whole.find("usage")->find(key)->as_integer();
    };
    EXPECT_EQ(count("input_tokens") + count("cache_read_input_tokens") +
                  count("cache_creation_input_tokens"),
              answer.end.usage.prompt_tokens);
    EXPECT_EQ(count("cache_read_input_tokens"), answer.end.usage.cached_tokens);
    EXPECT_EQ(count(request.marks_cache ? "input_tokens" : "cache_creation_input_tokens"), 0);
  }
}

// The checker itself: each of these breaks one rule.
TEST(AnthropicStreamTest, CheckerSeesBrokenStreams) {
  const auto event = [](std::string_view type, std::string_view members) {
    return "event: " + std::string(type) + "\ndata: {\"type\":\"" + std::string(type) + "\"" +
           std::string(members) + "}\n\n";
  };
  const std::string start =
      event("message_start", R"(,"message":{"content":[],"usage":{"output_tokens":0}})");
  const std::string open =
      event("content_block_start", R"(,"index":0,"content_block":{"type":"text","text":""})");
  const std::string text =
      event("content_block_delta", R"(,"index":0,"delta":{"type":"text_delta","text":"a"})");
  const std::string thought = event("content_block_delta",
                                    R"(,"index":0,"delta":{"type":"thinking_delta","thinking":""})");
  const std::string close = event("content_block_stop", R"(,"index":0)");
  const std::string end = event(
      "message_delta", R"(,"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1})");
  const std::string stop = event("message_stop", "");
  const auto complaints = [](const std::string& bytes) {
    return test::read_anthropic_stream(bytes).complaints.size();
  };
  EXPECT_EQ(complaints(start + open + text + close + end + stop), 0u);
  for (const std::string& broken :
       {start + start + end + stop, open + close + end + stop, start + open + thought + close + end + stop,
        start + open + end + stop, start + open + open + close + end + stop,
        start + open + close + open + close + end + stop, start + text + end + stop,
        start + open + text + close + end, start + open + close + stop, start + end + stop + end,
        start + end + stop + event("ping", ""), start + "data: {\"type\":\"ping\"}\n\n" + end + stop}) {
    EXPECT_GT(complaints(broken), 0u) << broken;
  }
}

}  // namespace
}  // namespace hearth::gateway
