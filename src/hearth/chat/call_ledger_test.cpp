#include "hearth/chat/call_ledger.h"

#include <gtest/gtest.h>

namespace hearth::chat {
namespace {

struct Step {
  std::string name, arguments, result;
};

// One call a turn, each answered.
Conversation conversation_of(const std::vector<Step>& steps) {
  Conversation out;
  out.messages.push_back({.role = Role::user, .text = "go"});
  int number = 0;
  for (const Step& step : steps) {
    const std::string id = "c" + std::to_string(number++);
    Message turn{.role = Role::assistant};
    turn.calls.push_back({.id = id, .name = step.name, .arguments = *parse_json(step.arguments)});
    out.messages.push_back(turn);
    out.messages.push_back({.role = Role::tool, .text = step.result, .call_id = id});
  }
  return out;
}

std::vector<Step> times(std::size_t count, const std::vector<Step>& round) {
  std::vector<Step> out;
  for (std::size_t i = 0; i < count; ++i) out.insert(out.end(), round.begin(), round.end());
  return out;
}

struct LoopCase {
  std::string name;
  std::vector<Step> steps;
  std::size_t times;  // 0: no loop
  std::size_t round = 1;
};

TEST(CallLedger, LoopsAreFoundAndNothingElseIs) {
  const Step look{"look", R"({"a":1,"b":2})", "nothing"}, other{"look", R"({"a":2})", "nothing"},
      run{"run", "{}", "error: no"};
  const LoopCase cases[] = {
      {"one call", {look}, 0},
      {"twice is no loop", times(2, {look}), 0},
      {"three times is", times(3, {look}), 3},
      {"arguments in another order are the same", {look, {"look", R"({"b":2,"a":1})", "nothing"}, look}, 3},
      {"another argument is another call", {look, other, look}, 0},
      {"another result is progress", {look, {"look", R"({"a":1,"b":2})", "something"}, look}, 0},
      {"what came before does not matter", {run, other, look, look, look}, 3},
      {"what came after ends it", {look, look, look, other}, 0},
      {"a round of two", times(3, {look, run}), 3, 2},
      {"a round of two, cut", {run, look, run, look, run}, 0},
      {"a round of four", times(4, {look, run, other, {"see", "{}", "x"}}), 4, 4},
      {"a round of five is not looked for", times(3, {look, run, other, {"see", "{}", "x"}, {"say", "{}", "x"}}), 0},
      {"a whole round of one counts as one", times(7, {run}), 7},
  };
  for (const LoopCase& one : cases) {
    const auto loop = find_loop(call_ledger(conversation_of(one.steps)));
    EXPECT_EQ(loop ? loop->times : 0, one.times) << one.name;
    EXPECT_EQ(loop ? loop->names.size() : one.round, one.round) << one.name;
  }
}

TEST(CallLedger, HasCallsResultsErrorsAndTriesAgain) {
  const auto ledger = call_ledger(conversation_of(
      {{"run", R"({"x":1})", "error: no"}, {"look", "{}", "ok"}, {"run", R"({"x":1})", "done"}}));
  ASSERT_EQ(ledger.size(), 3u);
  EXPECT_TRUE(ledger[0].error);
  EXPECT_FALSE(ledger[1].error);
  EXPECT_EQ(ledger[2].retry_of, 0u);
  EXPECT_EQ(ledger[2].turn, 2u);
  EXPECT_EQ(ledger[0].arguments, ledger[2].arguments);
  EXPECT_NE(ledger[0].result, ledger[2].result);
}

TEST(CallLedger, ACallThatIsNotAnsweredHasNoResultAndIsNoLoop) {
  Conversation open = conversation_of(times(3, {{"look", "{}", "x"}}));
  open.messages.pop_back();
  const auto ledger = call_ledger(open);
  EXPECT_FALSE(ledger.back().result);
  EXPECT_FALSE(find_loop(ledger));
}

TEST(CallLedger, AWarningIsSaidWhenALoopIsSeenAndAsItDoubles) {
  std::vector<std::size_t> said;
  for (std::size_t count = 1; count <= 24; ++count) {
    const auto loop = find_loop(call_ledger(conversation_of(times(count, {{"look", "{}", "error: x"}}))));
    if (loop && !loop_warning(*loop).empty()) said.push_back(count);
  }
  EXPECT_EQ(said, (std::vector<std::size_t>{3, 6, 12, 24}));
  EXPECT_NE(loop_warning({.names = {"look"}, .times = 3, .errors = true}).find("same errors"), std::string::npos);
}

}  // namespace
}  // namespace hearth::chat
