// What has been rendered stays: the prompt of one turn is a prefix of the prompt of the next.
#include <gtest/gtest.h>

#include "hearth/base/random.h"
#include "hearth/chat/format.h"

namespace hearth::chat {
namespace {

// Bytes stand for tokens, so that remembered turns can be compared with text.
std::vector<Token> as_tokens(std::string_view text) {
  std::vector<Token> out;
  for (const char c : text) out.push_back(static_cast<unsigned char>(c));
  return out;
}
std::string flat(const Rendering& rendering) {
  std::string out;
  for (const Segment& segment : rendering.segments) {
    out += segment.text;
    for (const Token token : segment.tokens) out += static_cast<char>(token);
  }
  return out;
}

std::string word(Random& random) {
  static constexpr std::string_view alphabet = "ab \n<|>{}\"\\é日";
  std::string out;
  for (std::uint64_t n = random.below(12); n > 0; --n) out += alphabet[random.below(alphabet.size())];
  return out;
}

Message answer(Random& random, std::size_t turn, bool thinks) {
  Message out{.role = Role::assistant, .text = "t" + word(random)};
  if (thinks && random.chance(0.7)) out.thinking = "w" + word(random);
  for (std::uint64_t n = random.chance(0.5) ? 0 : random.below(3); n > 0; --n) {
    ToolCall call{.id = "call_" + std::to_string(turn) + "_" + std::to_string(n), .name = "tool"};
    call.arguments = Json::object({{"a", word(random)}, {"n", random.below(100)}});
    out.calls.push_back(std::move(call));
  }
  return out;
}

// What the model might have written for it: not what we would render.
std::string sampled(const Message& message) {
  return "<<" + message.thinking + "||" + message.text + "||" +
         std::to_string(message.calls.size()) + ">>";
}

// As a client sends it back: thinking dropped, keys in another order.
Message echoed(Message message) {
  message.thinking.clear();
  for (ToolCall& call : message.calls) {
    Json other = Json::object();
    for (auto member = call.arguments.as_object().rbegin();
         member != call.arguments.as_object().rend(); ++member) {
      other.set(member->first, member->second);
    }
    call.arguments = std::move(other);
  }
  return message;
}

class Prefix : public testing::TestWithParam<std::string_view> {};

void follow(Conversation& conversation, const Message& turn, Random& random) {
  for (const ToolCall& call : turn.calls) {
    conversation.messages.push_back(
        {.role = Role::tool, .text = word(random), .call_id = call.id});
  }
  if (turn.calls.empty() || random.chance(0.3)) {
    conversation.messages.push_back({.role = Role::user, .text = word(random)});
  }
  if (random.chance(0.2)) {
    conversation.messages.push_back({.role = Role::system, .text = word(random)});
  }
}

Conversation start(Random& random) {
  Conversation out;
  if (random.chance(0.5)) out.tools = {{"tool", "d", Json::object({{"type", "object"}})}};
  if (random.chance(0.5)) out.messages.push_back({.role = Role::system, .text = word(random)});
  out.messages.push_back({.role = Role::user, .text = word(random)});
  return out;
}

TEST_P(Prefix, RenderedTextNeverChanges) {
  const auto format = make_format(GetParam()).value();
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    Conversation conversation = start(random);
    std::string before;
    for (std::size_t turn = 0; turn < 8; ++turn) {
      const RenderOptions history{.generation_prompt = false};
      const auto rendering = format->render(conversation, history);
      ASSERT_TRUE(rendering) << rendering.error().message;
      const std::string text = flat(*rendering);
      ASSERT_TRUE(text.starts_with(before)) << "seed " << seed << "\n" << before << "\n\n" << text;
      before = text;
      const Message turn_message = answer(random, turn, format->can_think());
      conversation.messages.push_back(turn_message);
      before = flat(format->render(conversation, history).value());
      follow(conversation, turn_message, random);
      if (conversation.messages.back().role == Role::assistant) break;
    }
  }
}

// The harder one: prompt + sampled tokens is a prefix of the next prompt, whatever was sampled.
TEST_P(Prefix, RememberedTurnsAreUsedAsTheyWereSampled) {
  const auto format = make_format(GetParam()).value();
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    TurnMemory memory;
    Conversation conversation = start(random);
    std::string before;
    for (std::size_t turn = 0; turn < 8; ++turn) {
      const bool thinking = random.chance(0.5);
      const auto rendering = format->render(
          conversation, {.generation_prompt = true, .thinking = thinking, .memory = &memory});
      ASSERT_TRUE(rendering);
      const std::string prompt = flat(*rendering);
      ASSERT_TRUE(prompt.starts_with(before)) << "seed " << seed << "\n" << before << "\n\n" << prompt;
      EXPECT_EQ(rendering->turns_rendered, 0u);
      EXPECT_EQ(rendering->turns_remembered, turn);

      const Message made = answer(random, turn, format->can_think());
      ContextDigest context(conversation.tools);
      for (const Message& message : conversation.messages) context.add(message);
      memory.remember(known_turn(context.with(made), made, {as_tokens(sampled(made)), thinking},
                                 context.calls()));
      before = prompt + sampled(made);
      conversation.messages.push_back(echoed(made));
      follow(conversation, made, random);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Prefix, testing::ValuesIn(std::vector(format_names().begin(), format_names().end())));

Message said(std::string text, std::string handle = {}) {
  return {.role = Role::assistant, .text = std::move(text), .handle = std::move(handle)};
}
Digest256 key(int i) { return blake2b(std::as_bytes(std::span(&i, 1))); }

TEST(TurnMemory, FindsByHandleUnlessTheTurnWasEdited) {
  TurnMemory memory;
  memory.remember(known_turn(key(1), said("hello", "h1"), {{1, 2}, true}));
  ASSERT_NE(memory.find(key(9), said("hello", "h1")), nullptr);  // the context was compacted
  EXPECT_EQ(memory.find(key(9), said("hello", "h1"))->tokens, (std::vector<Token>{1, 2}));
  EXPECT_EQ(memory.find(key(9), said("edited", "h1")), nullptr);
  EXPECT_NE(memory.find(key(1), said("hello")), nullptr);
  EXPECT_EQ(memory.find(key(2), said("hello")), nullptr);
}

TEST(TurnMemory, ATurnWithCallsIsNotFoundByItsHandleWhereItsCallsHaveOtherNumbers) {
  TurnMemory memory;
  Message turn = said("", "h1");
  turn.calls.push_back({.id = "c1", .name = "read", .raw_arguments = {}});
  memory.remember(known_turn(key(1), turn, {{1, 2}, true}, 7));
  EXPECT_EQ(memory.find(key(9), turn, 0), nullptr) << "earlier calls were trimmed";
  EXPECT_NE(memory.find(key(9), turn, 7), nullptr);
  EXPECT_NE(memory.find(key(1), turn, 7), nullptr);
}

TEST(TurnMemory, ForgetsTheLeastRecentlyUsed) {
  TurnMemory memory({.turns_max = 3, .tokens_max = 10});
  for (int i = 0; i < 3; ++i) memory.remember(known_turn(key(i), said("t"), {{1, 2}, false}));
  ASSERT_NE(memory.find(key(0), said("t")), nullptr);
  memory.remember(known_turn(key(3), said("t"), {{1, 2}, false}));
  EXPECT_EQ(memory.find(key(1), said("t")), nullptr);
  EXPECT_NE(memory.find(key(0), said("t")), nullptr);
  memory.remember(known_turn(key(4), said("t"), {std::vector<Token>(8, 7), false}));
  EXPECT_EQ(memory.turns(), 2u);
  EXPECT_EQ(memory.tokens(), 10u);
  memory.remember(known_turn(key(5), said("t"), {std::vector<Token>(11, 7), false}));  // too big to keep
  EXPECT_EQ(memory.tokens(), 10u);
  memory.remember(known_turn(key(4), said("t"), {{9}, false}));  // replaced
  EXPECT_EQ(memory.tokens(), 3u);
}

TEST(TurnMemory, ForgetsAUsersTurnsAndNoOthers) {
  TurnMemory memory;
  memory.remember(known_turn(key(1), said("a", "h1"), {{1, 2}, false, "ann"}));
  memory.remember(known_turn(key(2), said("b", "h2"), {{3}, false, "bob"}));
  memory.remember(known_turn(key(3), said("c"), {{4}, false, "ann"}));
  memory.forget("ann");
  EXPECT_EQ(memory.turns(), 1u);
  EXPECT_EQ(memory.tokens(), 1u);
  EXPECT_EQ(memory.find(key(9), said("a", "h1")), nullptr);
  EXPECT_EQ(memory.find(key(3), said("c")), nullptr);
  EXPECT_NE(memory.find(key(9), said("b", "h2")), nullptr);
}

TEST(Segments, ForeignTextNeverContainsAWholeMarker) {
  for (const auto name : format_names()) {
    const auto format = make_format(name).value();
    std::string all;
    for (const auto marker : format->markers()) all += std::string(marker) + "x" + std::string(marker);
    Message call{.role = Role::assistant, .text = all, .thinking = all};
    call.calls.push_back({.id = "a", .name = all, .arguments = Json::object({{all, all}})});
    const Conversation conversation{
        {{all, all, Json::object({{"type", "object"}, {"description", all}})}},
        {{.role = Role::system, .text = all}, {.role = Role::user, .text = all}, call,
         {.role = Role::tool, .text = all, .call_id = "a"}, {.role = Role::user, .text = all}}};
    const auto rendering = format->render(conversation, {});
    ASSERT_TRUE(rendering);
    std::size_t markup = 0;
    for (const Segment& segment : rendering->segments) {
      if (segment.kind == Segment::Kind::markup) {
        ++markup;
        continue;
      }
      for (const auto marker : format->markers()) {
        ASSERT_EQ(segment.text.find(marker), std::string::npos) << name << ": " << segment.text;
      }
    }
    EXPECT_GT(markup, 5u);
  }
}

// A client's text and the format's own may spell a marker only together.
TEST(Segments, NoMarkerComesToBeWhereTextsMeet) {
  for (const auto name : format_names()) {
    const auto format = make_format(name).value();
    for (const auto marker : format->markers()) {
      for (std::size_t n = 1; n < marker.size(); ++n) {
        const std::string head(marker.substr(0, n));
        const std::string tail(marker.substr(n));
        Message call{.role = Role::assistant, .text = head, .thinking = tail};
        call.calls.push_back({.id = "a", .name = head, .arguments = Json::object({{head, tail}})});
        const Conversation conversation{
            {{head, tail, Json()}},
            {{.role = Role::user, .text = tail + head}, call,
             {.role = Role::tool, .text = tail, .call_id = "a"}}};
        const auto rendering = format->render(conversation, {}).value();
        for (const Segment& segment : rendering.segments) {
          if (segment.kind != Segment::Kind::text) continue;
          for (const auto whole : format->markers()) {
            ASSERT_EQ(segment.text.find(whole), std::string::npos) << name << ": " << segment.text;
          }
        }
      }
    }
  }
}

TEST(Segments, MarkupHoldsMarkersAndNothingElse) {
  for (const auto name : format_names()) {
    const auto format = make_format(name).value();
    const Conversation conversation{{{"t", "d", Json()}},
                                    {{.role = Role::system, .text = "s"}, {.role = Role::user, .text = "u"}}};
    const auto rendering = format->render(conversation, {}).value();
    for (const Segment& segment : rendering.segments) {
      if (segment.kind != Segment::Kind::markup) continue;
      std::string rest = segment.text;
      for (bool found = true; found && !rest.empty();) {
        found = false;
        for (const auto marker : format->markers()) {
          if (!rest.starts_with(marker)) continue;
          rest.erase(0, marker.size());
          found = true;
        }
      }
      EXPECT_EQ(rest, "") << name << ": " << segment.text;
    }
  }
}

}  // namespace
}  // namespace hearth::chat
