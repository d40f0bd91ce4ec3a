// Whatever the model does, the stream keeps its rules and says the same as the whole answer.
#include <gtest/gtest.h>

#include "tests/support/chunk_stream.h"
#include "tests/support/random_answer.h"

namespace hearth::gateway {
namespace {

using test::WriterStep;

// There is neither thinking nor a call in plain text.
std::vector<WriterStep> plain_steps(Random& random) {
  auto steps = test::random_steps(random);
  std::erase_if(steps, [](const WriterStep& step) {
    return step.kind == WriterStep::Kind::event && step.event.kind != AnswerEvent::Kind::text;
  });
  return steps;
}

TEST(OpenaiCompletionsStream, KeepsItsGrammarAndEqualsTheWholeAnswer) {
  const auto dialect = make_openai_completions();
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    ChatRequest request{.model = "m"};
    const bool with_usage = random.chance(0.5);
    if (with_usage) request.extra = Json::object({{"include_usage", true}});
    if (random.chance(0.5)) request.logprobs = static_cast<int>(random.below(4));
    const auto steps = plain_steps(random);
    std::string bytes;
    const auto writer = dialect->make_writer(test::golden_info(), request);
    for (const WriterStep& step : steps) test::apply(step, *writer, bytes);
    auto stream = test::read_completion_stream(bytes, with_usage);
    ASSERT_EQ(stream.complaints, std::vector<std::string>{}) << bytes;
    ASSERT_EQ(stream.failed, steps.back().kind == WriterStep::Kind::error);
    if (stream.failed) continue;
    Json whole = dialect->whole(test::golden_info(), request, test::whole_answer(steps));
    if (!with_usage) whole.erase("usage");
    // logprobs of nothing are null in a stream, empty in a whole answer.
    Json& logprobs = *whole.find("choices")->as_array()[0].find("logprobs");
    if (logprobs.is_object() && logprobs.find("tokens")->as_array().empty()) logprobs = nullptr;
    ASSERT_EQ(dump_json(stream.whole), dump_json(whole));
  }
}

// The checker itself: each of these breaks one rule.
TEST(OpenaiCompletionsStream, CheckerSeesBrokenStreams) {
  const auto chunk = [](std::string_view text, std::string_view reason = "null") {
    return "data: {\"id\":\"a\",\"object\":\"text_completion\",\"created\":1,\"model\":\"m\","
           "\"choices\":[{\"index\":0,\"text\":\"" + std::string(text) +
           "\",\"logprobs\":null,\"finish_reason\":" + std::string(reason) + "}]}\n\n";
  };
  const std::string text = chunk("a");
  const std::string end = chunk("", R"("stop")");
  const std::string done = "data: [DONE]\n\n";
  const auto complaints = [](const std::string& bytes, bool with_usage = false) {
    return test::read_completion_stream(bytes, with_usage).complaints.size();
  };
  EXPECT_EQ(complaints(": comment\n\n" + text + end + done), 0u);
  EXPECT_GT(complaints(text + end + done, true), 0u);
  for (const std::string& broken : {text + done, text + end, end + text + done, end + end + done,
                                    text + end + done + done, "event: chunk\n" + text + end + done,
                                    text + "data: {}\n\n" + end + done}) {
    EXPECT_GT(complaints(broken), 0u) << broken;
  }
}

}  // namespace
}  // namespace hearth::gateway
