#pragma once
// Declared functions, the choice among them, and calls in the history. A function is the same
// object in chat (inside "function") and in Responses (beside "type").

#include <functional>
#include <set>

#include "hearth/chat/message.h"
#include "hearth/gateway/fields.h"

namespace hearth::gateway::openai {

// In the client's order, each name once.
class ToolList {
 public:
  // `path` is where the tool stands in the request.
  ApiResult<void> add(chat::Tool tool, const std::string& path);
  bool has(std::string_view name) const { return names_.contains(name); }
  bool empty() const { return tools_.empty(); }
  std::vector<chat::Tool> take() { return std::move(tools_); }

 private:
  std::vector<chat::Tool> tools_;
  std::set<std::string, std::less<>> names_;
};

// {"name","description","parameters"}; `strict` is not looked at, arguments always fit the schema.
ApiResult<chat::Tool> read_function(const Json& json, const std::string& path);

// The object "function" of a declared tool or of a call, as chat has them; never nullptr.
ApiResult<const Json*> find_function(const Json& json, const std::string& path);

// "auto", "none" and "required"; `read_object` reads the form that names a function, which differs. Without
// the field: auto.
using ReadNamedChoice = std::function<ApiResult<chat::ToolChoice>(const Json& choice, const std::string& type)>;
ApiResult<chat::ToolChoice> read_tool_choice(const Json& body, const ToolList& tools, const ReadNamedChoice& read_object);
ApiResult<chat::ToolChoice> named_choice(std::string name, const std::string& path,
                                         const ToolList& tools);

// Arguments that are no JSON object are kept as they were written.
void set_arguments(chat::ToolCall& call, const std::string& text);

}  // namespace hearth::gateway::openai
