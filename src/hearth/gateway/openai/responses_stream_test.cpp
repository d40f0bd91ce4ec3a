// Whatever the model does, the stream keeps the rules that Codex and the libraries insist on, and
// says the same as the answer that is not streamed.
#include <gtest/gtest.h>

#include "tests/support/random_answer.h"
#include "tests/support/response_stream.h"

namespace hearth::gateway {
namespace {

using test::WriterStep;

ChatRequest random_request(Random& random) {
  ChatRequest out{.model = "m"};
  out.stream = true;
  out.extra = Json::object({{"echo", Json::object({{"tool_choice", "auto"}})}});
  if (random.chance(0.5)) out.extra.set("summary", true);
  if (random.chance(0.5)) out.logprobs = static_cast<int>(random.below(4));
  return out;
}

TEST(OpenaiResponsesStream, KeepsItsGrammarAndEqualsTheWholeAnswer) {
  const auto dialect = make_openai_responses();
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const ChatRequest request = random_request(random);
    const auto steps = test::random_steps(random);
    std::string bytes;
    const auto writer = dialect->make_writer(test::golden_info(), request);
    for (const WriterStep& step : steps) test::apply(step, *writer, bytes);
    const auto stream = test::read_response_stream(bytes);
    ASSERT_EQ(stream.complaints, std::vector<std::string>{}) << bytes;
    ASSERT_EQ(stream.failed, steps.back().kind == WriterStep::Kind::error);
    if (stream.failed) continue;
    const Json whole = dialect->whole(test::golden_info(), request, test::whole_answer(steps));
    ASSERT_EQ(dump_json(stream.response), dump_json(whole));
  }
}

// The checker itself: each of these changes breaks one rule.
TEST(OpenaiResponsesStream, CheckerSeesBrokenStreams) {
  const auto dialect = make_openai_responses();
  std::string bytes;
  const auto writer = dialect->make_writer(test::golden_info(), {.model = "m"});
  writer->begin({}, bytes);
  writer->event({.text = "one"}, bytes);
  writer->event({.kind = AnswerEvent::Kind::call, .text = "{}", .id = "call_1", .name = "f"}, bytes);
  writer->end({}, bytes);
  ASSERT_TRUE(test::read_response_stream(bytes).complaints.empty());
  struct Change {
    std::string from, to;
  };
  for (const Change& change : std::vector<Change>{
           {"event: response.created", "event: response.in_progress"},
           {"\"sequence_number\":2", "\"sequence_number\":3"},
           {"\"output_index\":1", "\"output_index\":2"},
           {"\"delta\":\"one\"", "\"delta\":\"two\""},
           {"\"delta\":\"one\"", "\"delta\":\"\""},
           {"\"status\":\"completed\",\"error\"", "\"status\":\"failed\",\"error\""},
           {"\"item_id\":\"msg_", "\"item_id\":\"rs_"},
           {"event: response.completed", "event: ping"}}) {
    std::string broken = bytes;
    ASSERT_NE(broken.find(change.from), std::string::npos) << change.from;
    broken.replace(broken.find(change.from), change.from.size(), change.to);
    EXPECT_FALSE(test::read_response_stream(broken).complaints.empty()) << change.to;
  }
  EXPECT_FALSE(test::read_response_stream(bytes + bytes).complaints.empty());
  EXPECT_FALSE(test::read_response_stream(bytes.substr(0, bytes.find("event: response.completed"))).complaints.empty());
}

}  // namespace
}  // namespace hearth::gateway
