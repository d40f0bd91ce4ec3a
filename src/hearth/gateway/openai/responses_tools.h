#pragma once
// Tools of the Responses API. Functions are declared as they are. Two kinds become functions for the
// model and are turned back in answers:
//  - custom: one free text, {"input": "..."};
//  - namespace: a group of functions, each declared as NAMESPACE__NAME.
// Tools that would run on a server are not declared.

#include <string>
#include <vector>

#include "hearth/gateway/fields.h"
#include "hearth/gateway/notes.h"
#include "hearth/gateway/openai/tools.h"

namespace hearth::gateway::openai {

// The name the model knows a grouped function by.
std::string grouped_name(std::string_view group, std::string_view name);

struct ResponsesTools {
  ToolList tools;
  Json custom = Json::object();   // {NAME: true}
  Json grouped = Json::object();  // {NAMESPACE__NAME: [NAMESPACE, NAME]}
};

ApiResult<ResponsesTools> read_responses_tools(const Json& body, Notes& notes);
ApiResult<chat::ToolChoice> read_responses_choice(const Json& body, const ToolList& tools,
                                                  Notes& notes);

}  // namespace hearth::gateway::openai
