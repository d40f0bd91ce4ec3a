#include "hearth/gateway/openai/responses_request.h"

#include <array>

#include "hearth/gateway/openai/format.h"
#include "hearth/gateway/openai/generation.h"
#include "hearth/gateway/openai/responses_input.h"
#include "hearth/gateway/openai/responses_tools.h"
#include "hearth/gateway/openai/thinking.h"

namespace hearth::gateway::openai {
namespace {

constexpr std::string_view logprobs_include = "message.output_text.logprobs";

// Repeated in the answer as the client wrote them, with what they are when it did not.
Json echo_json(const Json& body) {
  const std::array<std::pair<std::string_view, Json>, 8> fields = {{
      {"instructions", nullptr}, {"max_output_tokens", nullptr}, {"metadata", Json::object()},
      {"parallel_tool_calls", true}, {"temperature", nullptr}, {"tool_choice", "auto"},
      {"top_p", nullptr}, {"user", nullptr}}};
  Json out = Json::object();
  for (const auto& [key, otherwise] : fields) {
    const Json* given = body.find(key);
    out.set(std::string(key), given != nullptr && !given->is_null() ? *given : otherwise);
  }
  return out;
}

ApiResult<void> refuse_what_is_not_served(const Json& body) {
  for (const std::string_view key : {"previous_response_id", "conversation"}) {
    const Json* value = body.find(key);
    if (value != nullptr && !value->is_null()) {
      return refuse(std::string(key), "no response is kept here: send the whole input");
    }
  }
  if (const Json* prompt = body.find("prompt"); prompt != nullptr && !prompt->is_null()) {
    return refuse("prompt", "no template is kept here: send instructions and input");
  }
  const bool background = TRY(read_flag(body, "background"));
  if (background) return refuse("background", "is not served; ask for a stream");
  return {};
}

ApiResult<void> read_tool_fields(const Json& body, ChatRequest& out, Notes& notes) {
  ResponsesTools read = TRY(read_responses_tools(body, notes));
  out.tool_choice = TRY(read_responses_choice(body, read.tools, notes));
  const auto parallel = TRY(find_field<bool>(body, "parallel_tool_calls"));
  out.tool_choice.parallel = parallel.value_or(true);
  out.conversation.tools = read.tools.take();
  if (!read.custom.as_object().empty()) out.extra.set(std::string(custom_tools_key), std::move(read.custom));
  if (!read.grouped.as_object().empty()) out.extra.set(std::string(grouped_tools_key), std::move(read.grouped));
  return {};
}

ApiResult<void> read_reasoning(const Json& body, ChatRequest& out, Notes& notes) {
  const Json* reasoning = TRY(find_object(body, "reasoning"));
  if (reasoning == nullptr) return {};
  const auto effort = TRY(find_field<std::string>(*reasoning, "effort", "reasoning"));
  if (effort) out.thinking = thinking_of_effort(*effort, notes);
  const auto summary = TRY(find_field<std::string>(*reasoning, "summary", "reasoning"));
  if (summary && *summary != "none") out.extra.set(std::string(summary_key), true);
  return {};
}

ApiResult<int> read_logprobs(const Json& body) {
  const auto alternatives = TRY(find_alternatives(body, "top_logprobs"));
  bool wanted = alternatives.value_or(0) > 0;
  const Json* include = TRY(find_array(body, "include"));
  for (std::size_t i = 0; include != nullptr && i < include->as_array().size(); ++i) {
    const Json& item = include->as_array()[i];
    wanted = wanted || (item.is_string() && item.as_string() == logprobs_include);
  }
  return wanted ? alternatives.value_or(0) : logprobs_off;
}

}  // namespace

ApiResult<ChatRequest> read_responses_request(const Json& body) {
  TRY(expect_body(body));
  ChatRequest out;
  Notes notes;
  out.model = TRY(get_field<std::string>(body, "model"));
  TRY(refuse_what_is_not_served(body));
  out.extra = Json::object({{std::string(echo_key), echo_json(body)}});
  out.conversation.messages = TRY(read_responses_input(body, notes));
  TRY(read_tool_fields(body, out, notes));
  const Json* text = TRY(find_object(body, "text"));
  const Json* format = nullptr;
  if (text != nullptr) format = TRY(find_object(*text, "format", "text"));
  out.response_format = TRY(read_format(format, "text.format", SchemaPlace::beside));
  TRY(read_reasoning(body, out, notes));
  out.tokens_max = TRY(find_tokens(body, "max_output_tokens"));
  out.sampling = TRY(read_sampling(body));
  out.logprobs = TRY(read_logprobs(body));
  out.stream = TRY(read_flag(body, "stream"));
  out.session_key = TRY(read_session_key(body));
  out.notes = std::move(notes.notes);
  return out;
}

}  // namespace hearth::gateway::openai
