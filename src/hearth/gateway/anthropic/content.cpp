#include "hearth/gateway/anthropic/content.h"

#include "hearth/gateway/anthropic/handles.h"
#include "hearth/gateway/anthropic/plain_text.h"

namespace hearth::gateway::anthropic {
namespace {

using chat::Message;
using chat::Role;
using Messages = std::vector<Message>;

// Stands before a result that the client marked as an error; models are not told otherwise.
constexpr std::string_view error_line = "[error]";

ApiResult<Message> tool_result(const Json& block, const std::string& path, Findings& findings) {
  Message out{.role = Role::tool};
  out.call_id = TRY(get_field<std::string>(block, "tool_use_id", path));
  const auto is_error = TRY(find_field<bool>(block, "is_error", path));
  JoinedText text;
  if (is_error.value_or(false)) text.add(error_line);
  if (const Json* content = block.find("content"); content != nullptr) {
    const std::string said = TRY(plain_content(*content, field_path(path, "content"), findings));
    text.add(said);
  }
  out.text = text.take();
  return out;
}

// Results become messages of their own; all other text of the turn follows them as one message.
ApiResult<void> user_blocks(const Json& content, const std::string& path, Findings& findings,
                            Messages& out) {
  JoinedText text;
  bool results = false;
  for (std::size_t i = 0; i < content.as_array().size(); ++i) {
    const Json& block = content.as_array()[i];
    const std::string block_path = item_path(path, i);
    const std::string type = TRY(block_type(block, block_path, findings));
    if (type == "tool_use") {
      return refuse(field_path(block_path, "type"), "tool_use belongs into an assistant message");
    }
    if (type == "tool_result") {
      Message result = TRY(tool_result(block, block_path, findings));
      out.push_back(std::move(result));
      results = true;
    } else {
      const std::string said = TRY(plain_block(block, type, block_path, findings));
      text.add(said);
    }
  }
  if (!results || !text.empty()) out.push_back({.role = Role::user, .text = text.take()});
  return {};
}

ApiResult<chat::ToolCall> tool_use(const Json& block, const std::string& path) {
  chat::ToolCall out;
  out.id = TRY(get_field<std::string>(block, "id", path));
  out.name = TRY(get_field<std::string>(block, "name", path));
  const Json* input = TRY(find_object(block, "input", path));
  if (input != nullptr) out.arguments = *input;
  return out;
}

ApiResult<void> thinking_block(const Json& block, const std::string& path, JoinedText& thinking,
                               Message& out) {
  const auto text = TRY(find_field<std::string>(block, "thinking", path));
  const auto signature = TRY(find_field<std::string>(block, "signature", path));
  if (signature == heartbeat_handle) return {};
  thinking.add(text.value_or(""));
  if (!signature.value_or("").empty()) out.handle = *signature;
  return {};
}

// What servers of other makes ran by themselves; the text that came of it stands beside them.
bool is_server_block(std::string_view type) {
  return type == "server_tool_use" || type == "mcp_tool_use" || type == "container_upload" ||
         type.ends_with("_tool_result");
}

ApiResult<std::string> assistant_text(const Json& block, std::string_view type,
                                      const std::string& path, Findings& findings) {
  if (type == "redacted_thinking" || is_server_block(type)) {
    findings.note("block dropped", type);
    return std::string();
  }
  if (type == "compaction") {  // the summary that stands for what came before
    const auto summary = TRY(find_field<std::string>(block, "content", path));
    return summary.value_or("");
  }
  return plain_block(block, type, path, findings);
}

// The texts of one assistant turn were one text, cut where a call or thinking came between: they
// are put together as they are.
ApiResult<Message> assistant_blocks(const Json& content, const std::string& path,
                                    Findings& findings) {
  Message out{.role = Role::assistant};
  JoinedText thinking;
  for (std::size_t i = 0; i < content.as_array().size(); ++i) {
    const Json& block = content.as_array()[i];
    const std::string block_path = item_path(path, i);
    const std::string type = TRY(block_type(block, block_path, findings));
    if (type == "tool_result") {
      return refuse(field_path(block_path, "type"), "tool_result belongs into a user message");
    }
    if (type == "tool_use") {
      chat::ToolCall call = TRY(tool_use(block, block_path));
      out.calls.push_back(std::move(call));
    } else if (type == "thinking") {
      TRY(thinking_block(block, block_path, thinking, out));
    } else {
      out.text += TRY(assistant_text(block, type, block_path, findings));
    }
  }
  out.thinking = thinking.take();
  return out;
}

ApiResult<void> read_message(const Json& json, const std::string& path, Findings& findings,
                             Messages& out) {
  TRY(expect_object(json, path));
  findings.look_for_cache_mark(json);
  const std::string role = TRY(get_field<std::string>(json, "role", path));
  const std::string content_path = field_path(path, "content");
  const Json* content = json.find("content");
  if (content == nullptr) return refuse(content_path, "is required");
  if (role == "user" && content->is_array()) {
    return user_blocks(*content, content_path, findings, out);
  }
  if (role == "assistant" && content->is_array()) {
    Message turn = TRY(assistant_blocks(*content, content_path, findings));
    out.push_back(std::move(turn));
    return {};
  }
  Message made;
  if (role == "system") {
    made.role = Role::system;
  } else if (role == "assistant") {
    made.role = Role::assistant;
  } else if (role != "user") {
    return refuse(field_path(path, "role"), "expected \"user\", \"assistant\" or \"system\"");
  }
  made.text = TRY(plain_content(*content, content_path, findings));
  out.push_back(std::move(made));
  return {};
}

}  // namespace

ApiResult<std::vector<Message>> read_messages(const Json& body, Findings& findings) {
  Messages out;
  if (const Json* system = body.find("system"); system != nullptr && !system->is_null()) {
    std::string text = TRY(plain_content(*system, "system", findings));
    if (!text.empty()) out.push_back({.role = Role::system, .text = std::move(text)});
  }
  const Json* messages = TRY(find_array(body, "messages"));
  if (messages == nullptr || messages->as_array().empty()) {
    return refuse("messages", "at least one message is required");
  }
  for (std::size_t i = 0; i < messages->as_array().size(); ++i) {
    TRY(read_message(messages->as_array()[i], item_path("messages", i), findings, out));
  }
  return out;
}

}  // namespace hearth::gateway::anthropic
