// Clients write the same message in more than one way from request to request: what the model reads
// must not depend on it.
#include <gtest/gtest.h>

#include "hearth/base/random.h"
#include "tests/support/gateway_json.h"

namespace hearth::gateway {
namespace {

Json block(const std::string& text) { return Json::object({{"type", "text"}, {"text", text}}); }

Json marked(Json object) {
  object.set("cache_control", Json::object({{"type", "ephemeral"}, {"ttl", "1h"}}));
  return object;
}

Json result(const std::string& id, Json content) {
  return Json::object({{"type", "tool_result"}, {"tool_use_id", id}, {"content", std::move(content)}});
}

// How much of a request is written in the long way.
struct Writing {
  std::uint64_t seed;
  bool plain;  // everything in the short way, without marks

  bool dice(Random& random) const { return random.chance(0.5) && !plain; }
  Json object(Json value, Random& random) const {
    return dice(random) ? marked(std::move(value)) : value;
  }
  Json content(const std::string& text, Random& random) const {
    if (dice(random)) return Json::array({object(block(text), random)});
    return text;
  }
};

Json request(const Writing& writing) {
  Random random(writing.seed);
  Json body = Json::object({{"model", "m"}, {"max_tokens", 100}});
  body.set("system", writing.content("Be brief.", random));
  Json& messages = body.set("messages", Json::array());
  const auto add = [&](const char* role, Json content) {
    messages.push(Json::object({{"role", role}, {"content", std::move(content)}}));
  };
  add("user", writing.content("What time is it?", random));
  add("system", writing.content("Time zone: UTC.", random));
  add("assistant", Json::array({writing.object(block("I look."), random),
                                writing.object(Json::object({{"type", "tool_use"},
                                                             {"id", "toolu_1"},
                                                             {"name", "now"},
                                                             {"input", Json::object()}}),
                                               random)}));
  add("user", Json::array({writing.object(result("toolu_1", writing.content("12:00", random)), random)}));
  add("assistant", writing.content("It is noon.", random));
  add("user", writing.content("Thanks.", random));
  body.set("tools", Json::array({writing.object(
                        Json::object({{"name", "now"},
                                      {"input_schema", Json::object({{"type", "object"}})}}),
                        random)}));
  return writing.object(std::move(body), random);
}

TEST(AnthropicRequest, StringsOneBlockListsAndCacheMarksReadTheSame) {
  const auto dialect = make_anthropic_messages();
  const auto parsed = [&](const Json& body) {
    ChatRequest out = dialect->parse(body, false).value();
    out.marks_cache = false;
    return dump_json(test::request_json(out));
  };
  const std::string expected = parsed(request({0, true}));
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Json body = request({seed, false});
    EXPECT_EQ(parsed(body), expected) << dump_json(body);
    const bool marks = dump_json(body).find("cache_control") != std::string::npos;
    EXPECT_EQ(dialect->parse(body, false)->marks_cache, marks) << dump_json(body);
  }
}

TEST(AnthropicRequest, CountingReadsTheSamePrompt) {
  const auto dialect = make_anthropic_messages();
  Json body = request({7, false});
  const auto whole = dialect->parse(body, false);
  body.erase("max_tokens");
  EXPECT_FALSE(dialect->parse(body, false));
  const auto counted = dialect->parse(body, true);
  ASSERT_TRUE(whole && counted);
  EXPECT_EQ(counted->conversation.messages, whole->conversation.messages);
  EXPECT_EQ(counted->conversation.tools, whole->conversation.tools);
}

}  // namespace
}  // namespace hearth::gateway
