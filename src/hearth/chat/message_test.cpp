#include "hearth/chat/message.h"

#include <gtest/gtest.h>

#include "hearth/chat/canonical.h"
#include "hearth/chat/ids.h"

namespace hearth::chat {
namespace {

Message user(std::string text) { return {.role = Role::user, .text = std::move(text)}; }
Message calls(std::vector<std::string> ids) {
  Message out{.role = Role::assistant};
  for (std::string& id : ids) out.calls.push_back({.id = std::move(id), .name = "tool"});
  return out;
}
Message result(std::string id) {
  return {.role = Role::tool, .text = "result of " + id, .call_id = id};
}

std::string print(const Conversation& conversation) {
  std::string out;
  for (const Message& m : conversation.messages) {
    out += m.role == Role::tool ? "[" + m.call_id + "]" : "<" + m.text + ">";
  }
  return out;
}

TEST(Arrange, PutsResultsIntoCallOrderBeforeWhatCameBetween) {
  const auto arranged = arrange({{}, {user("q"), calls({"a", "b", "c"}), user("note"), result("c"),
                                      result("a"), user("more"), result("b"), calls({"a"}),
                                      result("a"), user("end")}});
  ASSERT_TRUE(arranged) << arranged.error().message;
  EXPECT_EQ(print(*arranged), "<q><>[a][b][c]<note><more><>[a]<end>");
}

TEST(Arrange, AllowsCallsWithoutResultsAtTheVeryEnd) {
  EXPECT_TRUE(arrange({{}, {user("q"), calls({"a"})}}));
}

TEST(Arrange, NamesTheIdThatDoesNotFit) {
  struct Wrong {
    std::vector<Message> messages;
    const char* id;
  };
  const std::vector<Wrong> wrong = {
      {{user("q"), result("lost")}, "lost"},
      {{user("q"), calls({"a"}), result("other")}, "other"},
      {{user("q"), calls({"a", "b"}), result("a"), user("x")}, "b"},
      {{user("q"), calls({"a", "b"}), result("a")}, "b"},
      {{user("q"), calls({"a"}), user("x")}, "a"},
      {{user("q"), calls({"a"}), result("a"), result("a")}, "a"},
      {{user("q"), calls({"twin", "twin"}), result("twin")}, "twin"},
      {{calls({"a"}), calls({"b"}), result("b")}, "a"},
  };
  for (const Wrong& w : wrong) {
    const auto arranged = arrange({{}, w.messages});
    ASSERT_FALSE(arranged) << w.id;
    EXPECT_EQ(arranged.error().code, Code::invalid_argument);
    EXPECT_NE(arranged.error().message.find(std::string("'") + w.id + "'"), std::string::npos)
        << arranged.error().message;
  }
}

TEST(RestoreUnparsedInput, TurnsTheClientsWrapperBackIntoText) {
  ToolCall call{.id = "a", .name = "x"};
  call.arguments =
      parse_json(R"({"__unparsedToolInput":{"raw":"{\"a\": ","len":6}})").value();
  restore_unparsed_input(call);
  EXPECT_EQ(call.raw_arguments, "{\"a\": ");
  EXPECT_EQ(call.arguments, Json::object());
  call = {.id = "a", .name = "x", .arguments = parse_json(R"({"raw":"x"})").value()};
  const ToolCall before = call;
  restore_unparsed_input(call);
  EXPECT_EQ(call, before);
}

TEST(NativeId, IsReadInAllFormsThatModelsWrite) {
  EXPECT_EQ(native_id("get_weather", 12), "functions.get_weather:12");
  const std::vector<std::pair<const char*, const char*>> forms = {
      {"functions.get_weather:0", "get_weather"}, {"get_weather:3", "get_weather"},
      {" functions.a.b:1\n", "a.b"},              {"functions.x", "x"},
      {"call_123", "call_123"},                   {"functions.a:b:2", "a:b"},
      {"functions.a:", "a:"},                     {"", ""}};
  for (const auto& [id, name] : forms) EXPECT_EQ(name_of_native_id(id), name) << id;
}

TEST(Canonicalise, RemovesVolatileHeadersOnly) {
  const auto instruction = [](std::string text) {
    return Message{.role = Role::system, .text = std::move(text)};
  };
  Conversation conversation{
      {{"b", "", {}}, {"a", "", {}}},
      {instruction("x-anthropic-billing-header: cc_version=2.1; cch=abc;"),
       instruction("x-anthropic-billing-header: y\n\nYou are helpful.\n"), instruction("Keep."),
       user("x-anthropic-billing-header: quoted")}};
  const CanonicalReport report = canonicalise(conversation);
  EXPECT_EQ(report.volatile_headers, 2u);
  EXPECT_TRUE(report.tools_reordered);
  EXPECT_EQ(conversation.tools[0].name, "a");
  EXPECT_EQ(print(conversation),
            "<You are helpful.\n><Keep.><x-anthropic-billing-header: quoted>");
  EXPECT_EQ(canonicalise(conversation).volatile_headers, 0u);
}

}  // namespace
}  // namespace hearth::chat
