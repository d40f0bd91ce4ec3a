#include "hearth/gateway/prefix_memory.h"

#include <gtest/gtest.h>

namespace hearth::gateway {
namespace {

using chat::Message;
using chat::Role;

chat::Conversation conversation(std::vector<Message> more = {}) {
  chat::Conversation out;
  out.tools = {{.name = "now", .description = "tells the time", .parameters = Json()}};
  out.messages = {{.role = Role::system, .text = "Be brief."}, {.role = Role::user, .text = "What time is it?"}};
  out.messages.insert(out.messages.end(), more.begin(), more.end());
  return out;
}

const Message answer{.role = Role::assistant, .text = "Noon."};
const Message next_question{.role = Role::user, .text = "And now?"};
const std::vector<Token> known = {1, 2, 3, 4, 5, 6};

// Knows one answered conversation.
struct OneKnown {
  OneKnown() { memory.keep("ann", conversation(), answer, known); }
  std::optional<Departure> departure(const chat::Conversation& of, std::vector<Token> prompt,
                                     const std::string& user = "ann") {
    return memory.departure(user, of, prompt);
  }
  PrefixMemory memory;
};

TEST(PrefixMemory, AConversationThatGoesOnDoesNotDepart) {
  OneKnown one;
  const auto next = conversation({answer, next_question});
  EXPECT_FALSE(one.departure(next, {1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_FALSE(one.departure(next, {1, 2, 3, 4}));  // a beginning of it loses nothing
}

TEST(PrefixMemory, TellsWhereItDepartsAndWhatChanged) {
  OneKnown one;
  const std::vector<Token> prompt = {1, 2, 9, 9, 9, 9, 9, 9};
  const auto expected = [](std::string_view changed) { return Departure{2, 4, changed}; };
  auto late_tool = conversation({answer, next_question});
  late_tool.tools.push_back({.name = "later", .description = "came late", .parameters = Json()});
  EXPECT_EQ(one.departure(late_tool, prompt), expected("tools"));
  auto other_system = conversation({answer, next_question});
  other_system.messages[0].text = "Be long.";
  EXPECT_EQ(one.departure(other_system, prompt), expected("system"));
  other_system.tools = late_tool.tools;
  EXPECT_EQ(one.departure(other_system, prompt), expected("tools+system"));
  EXPECT_EQ(one.departure(conversation({answer, next_question}), prompt), expected("history"));
}

TEST(PrefixMemory, OtherConversationsAndOtherClientsDoNotDepartFromIt) {
  OneKnown one;
  const std::vector<Token> prompt = {9, 9, 9};
  EXPECT_FALSE(one.departure(conversation(), prompt));  // it has no answer yet: a beginning
  EXPECT_FALSE(one.departure(conversation({{.role = Role::assistant, .text = "Midnight."}}), prompt));
  auto other_question = conversation({answer});
  other_question.messages[1].text = "Give it a title.";
  EXPECT_FALSE(one.departure(other_question, prompt));
  EXPECT_FALSE(one.departure(conversation({answer}), prompt, "bob"));
  EXPECT_TRUE(one.departure(conversation({answer}), prompt));
}

TEST(PrefixMemory, TheLastAnswerIsWhatCounts) {
  OneKnown one;
  one.memory.keep("ann", conversation({answer, next_question}), {.role = Role::assistant, .text = "One."}, {1, 8, 8});
  const auto departure = one.departure(conversation({answer, next_question, answer}), known);
  ASSERT_TRUE(departure);
  EXPECT_EQ(departure->shared_tokens, 1U);
  EXPECT_EQ(departure->lost_tokens, 2U);
}

TEST(PrefixMemory, ForgetsAUserAndTheLeastRecentlyUsed) {
  OneKnown one;
  one.memory.forget("bob");
  const auto next = conversation({answer});
  EXPECT_TRUE(one.departure(next, {9}));
  one.memory.forget("ann");
  EXPECT_FALSE(one.departure(next, {9}));

  for (std::size_t i = 0; i <= PrefixMemory::conversations_max; ++i) {
    one.memory.keep(std::to_string(i), conversation(), answer, known);
  }
  EXPECT_FALSE(one.departure(next, {9}, "0"));
  EXPECT_TRUE(one.departure(next, {9}, "1"));
  one.memory.keep("large", conversation(), answer, std::vector<Token>(PrefixMemory::tokens_max, 7));
  EXPECT_TRUE(one.departure(next, {9}, "large"));
  EXPECT_FALSE(one.departure(next, {9}, "1"));
}

}  // namespace
}  // namespace hearth::gateway
