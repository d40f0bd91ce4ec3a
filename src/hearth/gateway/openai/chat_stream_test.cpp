// Whatever the model does, the stream keeps the rules that clients insist on, and says the same as
// the answer that is not streamed.
#include <gtest/gtest.h>

#include "tests/support/chunk_stream.h"
#include "tests/support/random_answer.h"

namespace hearth::gateway {
namespace {

using test::WriterStep;

ChatRequest random_request(Random& random, bool with_usage) {
  ChatRequest out{.model = "m"};
  out.stream = true;
  if (with_usage) out.extra = Json::object({{"include_usage", true}});
  if (random.chance(0.5)) out.logprobs = static_cast<int>(random.below(4));
  return out;
}

TEST(OpenaiChatStream, KeepsItsGrammarAndEqualsTheWholeAnswer) {
  const auto dialect = make_openai_chat();
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const bool with_usage = random.chance(0.5);
    const ChatRequest request = random_request(random, with_usage);
    const auto steps = test::random_steps(random);
    std::string bytes;
    const auto writer = dialect->make_writer(test::golden_info(), request);
    for (const WriterStep& step : steps) test::apply(step, *writer, bytes);
    auto stream = test::read_chat_stream(bytes, with_usage);
    ASSERT_EQ(stream.complaints, std::vector<std::string>{}) << bytes;
    ASSERT_EQ(stream.failed, steps.back().kind == WriterStep::Kind::error);
    if (stream.failed) continue;
    Json whole = dialect->whole(test::golden_info(), request, test::whole_answer(steps));
    // A chunk is no completion; logprobs of nothing are null in a stream, empty in a whole answer.
    whole.set("object", "chat.completion.chunk");
    if (!with_usage) whole.erase("usage");
    Json& logprobs = *whole.find("choices")->as_array()[0].find("logprobs");
    if (logprobs.is_object() && logprobs.find("content")->as_array().empty()) logprobs = nullptr;
    ASSERT_EQ(dump_json(stream.whole), dump_json(whole));
  }
}

// The checker itself: each of these breaks one rule.
TEST(OpenaiChatStream, CheckerSeesBrokenStreams) {
  const auto chunk = [](std::string_view delta, std::string_view reason = "null") {
    return "data: {\"id\":\"a\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","
           "\"choices\":[{\"index\":0,\"delta\":" + std::string(delta) +
           ",\"logprobs\":null,\"finish_reason\":" + std::string(reason) + "}]}\n\n";
  };
  const std::string start = chunk(R"({"role":"assistant","content":""})");
  const std::string text = chunk(R"({"content":"a"})");
  const std::string call =
      chunk(R"({"tool_calls":[{"index":0,"id":"1","type":"function","function":{"name":"f"}}]})");
  const std::string rest =
      chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]})");
  const std::string end = chunk("{}", R"("stop")");
  const std::string done = "data: [DONE]\n\n";
  const auto complaints = [](const std::string& bytes, bool with_usage = false) {
    return test::read_chat_stream(bytes, with_usage).complaints.size();
  };
  EXPECT_EQ(complaints(start + text + ": comment\n\n" + call + rest + end + done), 0u);
  EXPECT_GT(complaints(start + end + done, true), 0u);
  std::string renamed = text;
  renamed.replace(renamed.find("\"a\""), 3, "\"b\"");
  for (const std::string& broken :
       {text + end + done, start + start + end + done, start + text + done, start + end,
        start + rest + end + done, start + call + call + end + done, start + end + text + done,
        start + end + done + done, start + renamed + end + done,
        "event: chunk\n" + start + end + done, start + "data: {\"error\":{}}\n\n"}) {
    EXPECT_GT(complaints(broken), 0u) << broken;
  }
}

}  // namespace
}  // namespace hearth::gateway
