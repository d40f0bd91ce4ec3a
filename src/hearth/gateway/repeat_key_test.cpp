// What makes a request another request.
#include "hearth/gateway/repeat_key.h"

#include <gtest/gtest.h>

#include <set>

namespace hearth::gateway {
namespace {

constexpr const char* base = R"({
  "model": "m", "max_tokens": 5, "stream": true,
  "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
  "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
  "tools": [{"name": "t", "input_schema": {"type": "object"}}],
  "metadata": {"user_id": "u"}})";

Digest256 key_of(const Json& body, std::string_view dialect = "messages",
                 std::string_view client = "c", std::string_view session = "s") {
  return repeat_key(dialect, client, session, body);
}

// RFC 7396, one level: members of `changes` replace or (null) remove.
Json changed(std::string_view changes) {
  Json body = *parse_json(base);
  const Json parsed = *parse_json(changes);
  for (const auto& [key, value] : parsed.as_object()) {
    value.is_null() ? void(body.erase(key)) : void(body.set(key, value));
  }
  return body;
}

TEST(RepeatKey, WhatClientsChangeWhenTheySendItAgainDoesNotCount) {
  for (const char* changes : {
           R"({"stream": false})", R"({"stream": null})",
           R"({"stream_options": {"include_usage": true}})", R"({"metadata": null})",
           R"({"metadata": {"user_id": "another"}})",
           R"({"system": [{"type": "text", "text": "s"}]})",
           R"({"system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]})",
           R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": null}]}]})",
           R"({"tools": [{"name": "t", "input_schema": {"type": "object"}, "cache_control": {}}]})",
       }) {
    EXPECT_EQ(key_of(changed(changes)), key_of(*parse_json(base))) << changes;
  }
}

TEST(RepeatKey, EverythingElseCounts) {
  std::set<Digest256> keys{key_of(*parse_json(base))};
  const char* all_changes[] = {
      R"({"model": "n"})", R"({"max_tokens": 6})", R"({"max_tokens": null})",
      R"({"temperature": 0})", R"({"seed": 1})", R"({"user": "idempotent-1"})",
      R"({"system": [{"type": "text", "text": "S"}]})",
      R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi "}]}]})",
      R"({"messages": [{"role": "assistant", "content": [{"type": "text", "text": "hi"}]}]})",
      R"({"tools": []})", R"({"tools": [{"name": "t", "input_schema": {}}]})",
  };
  for (const char* changes : all_changes) {
    EXPECT_TRUE(keys.insert(key_of(changed(changes))).second) << changes;
  }
  const Json body = *parse_json(base);
  EXPECT_TRUE(keys.insert(key_of(body, "chat")).second);
  EXPECT_TRUE(keys.insert(key_of(body, "messages", "d")).second);
  EXPECT_TRUE(keys.insert(key_of(body, "messages", "c", "t")).second);
  EXPECT_TRUE(keys.insert(key_of(body, "messages", "cs", "")).second);
}

TEST(RepeatKey, ArgumentsOfToolsCountWhateverTheirNames) {
  const auto body = [](std::string_view input) {
    Json out = *parse_json(base);
    out.set("messages",
            Json::array({Json::object({{"role", "assistant"},
                                       {"content", Json::array({Json::object(
                                            {{"type", "tool_use"}, {"id", "1"}, {"name", "t"},
                                             {"input", *parse_json(input)}})})}})}));
    return out;
  };
  EXPECT_NE(key_of(body(R"({"cache_control": "no-store"})")),
            key_of(body(R"({"cache_control": "public"})")));
}

TEST(RepeatKey, SessionsComeFromTheHeadersOfKnownClients) {
  const auto session = [](net::Headers headers) {
    net::Request request;
    request.headers = std::move(headers);
    return session_of(request);
  };
  EXPECT_EQ(session({}), "");
  EXPECT_EQ(session({{"x-request-id", "1"}, {"x-client-request-id", "1"}}), "");
  std::set<std::string> sessions{""};
  for (const char* name : {"x-claude-code-session-id", "X-Session-Affinity", "x-session-id",
                           "session-id", "thread-id"}) {
    EXPECT_TRUE(sessions.insert(session({{name, name}})).second) << name;
  }
  // An agent within a session is a conversation of its own.
  EXPECT_NE(session({{"x-claude-code-session-id", "1"}}),
            session({{"x-claude-code-session-id", "1"}, {"x-claude-code-agent-id", "2"}}));
}

}  // namespace
}  // namespace hearth::gateway
