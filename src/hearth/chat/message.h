#pragma once
// A conversation in our own terms, after a dialect has been read and before a format renders it.
// Values without behaviour; text is UTF-8. Images never get here: the gateway refuses them.

#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/base/result.h"

namespace hearth::chat {

enum class Role : std::uint8_t { system, user, assistant, tool };

std::string_view role_name(Role role);

struct ToolCall {
  std::string id;  // outward: what the client knows it by
  std::string name;
  Json arguments = Json::object();
  // Set when what the model wrote is not JSON: it is rendered as it was written.
  std::string raw_arguments;

  bool operator==(const ToolCall&) const = default;
};

struct Message {
  Role role = Role::user;
  std::string text;
  std::string thinking;         // assistant only
  std::vector<ToolCall> calls;  // assistant only
  std::string call_id;          // tool only: outward id of the call it answers
  std::string handle;           // assistant only: names the remembered turn, may be empty

  bool operator==(const Message&) const = default;
};

struct Tool {
  std::string name;
  std::string description;
  Json parameters;  // JSON Schema, or null when the tool has none
  std::string parameters_path = {};  // in the client's request; empty: tools[i].parameters

  bool operator==(const Tool&) const = default;
};

struct ToolChoice {
  enum class Kind : std::uint8_t { automatic, none, required, named };
  Kind kind = Kind::automatic;
  std::string name;  // named only
  bool parallel = true;
};

struct ResponseFormat {
  enum class Kind : std::uint8_t { text, json_object, json_schema };
  Kind kind = Kind::text;
  Json schema;  // json_schema only
};

struct Conversation {
  std::vector<Tool> tools;
  std::vector<Message> messages;
};

// {"type":"function","function":{"name":...,"description":...,"parameters":...}}, the form that
// reference templates print. An empty description and null parameters are left out.
Json tool_json(const Tool& tool);

// What Claude Code sends back for a call whose arguments were not JSON,
// {"__unparsedToolInput":{"raw":TEXT,...}}, becomes raw_arguments again.
void restore_unparsed_input(ToolCall& call);

// Puts tool results into call order, straight after the turn that called; whatever came between
// follows them. invalid_argument, naming the id, for a result without a call, a second result for
// a call, a repeated id within a turn, and a call without a result that is not in the last turn.
Result<Conversation> arrange(Conversation conversation);

}  // namespace hearth::chat
