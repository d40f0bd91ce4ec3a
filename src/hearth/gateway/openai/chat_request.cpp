#include "hearth/gateway/openai/chat_request.h"

#include "hearth/gateway/openai/chat_messages.h"
#include "hearth/gateway/openai/format.h"
#include "hearth/gateway/openai/generation.h"
#include "hearth/gateway/openai/thinking.h"
#include "hearth/gateway/openai/tools.h"

namespace hearth::gateway::openai {
namespace {

ApiResult<chat::Tool> read_tool(const Json& json, const std::string& path) {
  const Json* function = TRY(find_function(json, path));
  return read_function(*function, field_path(path, "function"));
}

ApiResult<ToolList> read_tools(const Json& body) {
  ToolList out;
  const Json* older = TRY(find_array(body, "functions"));
  if (older != nullptr && !older->as_array().empty()) {
    return refuse("functions", "are not read here; use tools");
  }
  const Json* tools = TRY(find_array(body, "tools"));
  for (std::size_t i = 0; tools != nullptr && i < tools->as_array().size(); ++i) {
    const std::string path = item_path("tools", i);
    chat::Tool tool = TRY(read_tool(tools->as_array()[i], path));
    TRY(out.add(std::move(tool), field_path(path, "function")));
  }
  return out;
}

ApiResult<chat::ToolChoice> read_choice(const Json& body, const ToolList& tools) {
  return read_tool_choice(body, tools, [&](const Json& choice, const std::string& type) -> ApiResult<chat::ToolChoice> {
    if (type != "function") return refuse("tool_choice.type", "expected \"function\"");
    const Json* function = TRY(find_object(choice, "function", "tool_choice"));
    if (function == nullptr) return refuse("tool_choice.function", "is required");
    std::string name = TRY(get_field<std::string>(*function, "name", "tool_choice.function"));
    return named_choice(std::move(name), "tool_choice.function.name", tools);
  });
}

ApiResult<void> read_tool_fields(const Json& body, ChatRequest& out) {
  ToolList tools = TRY(read_tools(body));
  out.tool_choice = TRY(read_choice(body, tools));
  const auto parallel = TRY(find_field<bool>(body, "parallel_tool_calls"));
  out.tool_choice.parallel = parallel.value_or(true);
  out.conversation.tools = tools.take();
  return {};
}

// The newer name counts when both are there.
ApiResult<std::optional<std::uint32_t>> read_tokens_max(const Json& body) {
  const auto older = TRY(find_tokens(body, "max_tokens"));
  const auto newer = TRY(find_tokens(body, "max_completion_tokens"));
  return newer ? newer : older;
}

// As vLLM has it: the last message is the beginning of the answer.
ApiResult<bool> read_continues(const Json& body, const std::vector<chat::Message>& messages) {
  const bool wanted = TRY(read_flag(body, "continue_final_message"));
  if (!wanted) return false;
  const chat::Message& last = messages.back();
  if (last.role == chat::Role::assistant && last.calls.empty()) return true;
  return refuse("continue_final_message", "needs a last message of the assistant, without tool calls");
}

ApiResult<int> read_logprobs(const Json& body) {
  const bool wanted = TRY(read_flag(body, "logprobs"));
  const auto alternatives = TRY(find_alternatives(body, "top_logprobs"));
  if (wanted) return alternatives.value_or(0);
  if (alternatives.value_or(0) > 0) return refuse("top_logprobs", "needs logprobs to be true");
  return logprobs_off;
}

}  // namespace

ApiResult<ChatRequest> read_chat_request(const Json& body) {
  TRY(expect_body(body));
  ChatRequest out;
  Notes notes;
  out.model = TRY(get_field<std::string>(body, "model"));
  out.conversation.messages = TRY(read_chat_messages(body, notes));
  out.continues_last = TRY(read_continues(body, out.conversation.messages));
  TRY(read_tool_fields(body, out));
  const Json* format = TRY(find_object(body, "response_format"));
  out.response_format = TRY(read_format(format, "response_format", SchemaPlace::inside));
  out.thinking = TRY(read_chat_thinking(body, notes));
  out.tokens_max = TRY(read_tokens_max(body));
  out.stop_strings = TRY(read_stops(body));
  out.sampling = TRY(read_sampling(body));
  out.logprobs = TRY(read_logprobs(body));
  TRY(expect_one(body, "n"));
  TRY(read_stream_options(body, out));
  TRY(read_timings(body, out));
  out.session_key = TRY(read_session_key(body));
  out.notes = std::move(notes.notes);
  return out;
}

}  // namespace hearth::gateway::openai
