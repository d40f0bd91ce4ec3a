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
    ASSERT_EQ(dump_json(stream.whole), dump_json(whole));
  }
}

}  // namespace
}  // namespace hearth::gateway
