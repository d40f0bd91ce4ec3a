#include "hearth/gateway/openai/responses_input.h"

#include "hearth/gateway/openai/content.h"
#include "hearth/gateway/openai/responses_items.h"
#include "hearth/gateway/openai/responses_tools.h"
#include "hearth/gateway/openai/tools.h"

namespace hearth::gateway::openai {
namespace {

using chat::Message;
using chat::Role;

class ItemReader {
 public:
  explicit ItemReader(Notes& notes) : notes_(notes) {}

  ApiResult<void> read(const Json& item, const std::string& path) {
    TRY(expect_object(item, path));
    const auto type = TRY(find_field<std::string>(item, "type", path));
    if (!type || *type == "message") return read_message(item, path);
    if (*type == "reasoning") return read_reasoning(item, path);
    if (*type == "function_call") return read_function_call(item, path);
    if (*type == "custom_tool_call") return read_custom_call(item, path);
    if (*type == "function_call_output" || *type == "custom_tool_call_output") {
      return read_output(item, path);
    }
    if (*type == "item_reference") {
      return refuse(field_path(path, "type"), "no item is kept here: send the item itself");
    }
    notes_.note("item ignored", *type);
    return {};
  }
  std::vector<Message> take() { return std::move(messages_); }

 private:
  // The model's turn that `item` belongs to: the last message, unless that is no turn of the model or `closed`.
  // Items of one answer of ours are one turn, in whatever order the model thought and wrote.
  Message& turn(const Json& item, bool closed) {
    const Json* id = item.find("id");
    std::string answer(id != nullptr && id->is_string() ? answer_of_item(id->as_string()) : "");
    const bool same_answer = !answer.empty() && answer == answer_;
    answer_ = std::move(answer);
    const bool open = !messages_.empty() && messages_.back().role == Role::assistant;
    if (!open || (closed && !same_answer)) messages_.push_back({.role = Role::assistant});
    return messages_.back();
  }
  // What the open turn already has, to see whether something more still belongs to it.
  bool turn_has_calls() const {
    return !messages_.empty() && !messages_.back().calls.empty();
  }
  bool turn_has_text() const { return !messages_.empty() && !messages_.back().text.empty(); }

  ApiResult<std::string> text_of(const Json& item, std::string_view key, const std::string& path,
                                 std::string_view between) {
    const Json* content = item.find(key);
    if (content == nullptr) return std::string();
    return read_text(*content, field_path(path, key), between, notes_);
  }

  ApiResult<void> read_message(const Json& item, const std::string& path) {
    const std::string role = TRY(get_field<std::string>(item, "role", path));
    if (role == "assistant") {
      const std::string text = TRY(text_of(item, "content", path, between_model_parts));
      turn(item, turn_has_calls() || turn_has_text()).text += text;
      return {};
    }
    Message out;
    if (role == "system" || role == "developer") {
      out.role = Role::system;
    } else if (role != "user") {
      return refuse(field_path(path, "role"),
                    "expected \"system\", \"developer\", \"user\" or \"assistant\"");
    }
    if (item.find("content") == nullptr) return refuse(field_path(path, "content"), "is required");
    out.text = TRY(text_of(item, "content", path, between_user_parts));
    messages_.push_back(std::move(out));
    return {};
  }

  ApiResult<void> read_reasoning(const Json& item, const std::string& path) {
    const auto handle = TRY(find_field<std::string>(item, "encrypted_content", path));
    std::string thinking = TRY(text_of(item, "content", path, between_model_parts));
    if (thinking.empty()) thinking = TRY(text_of(item, "summary", path, between_user_parts));
    Message& message = turn(item, turn_has_calls() || turn_has_text());
    message.thinking += thinking;
    if (handle) message.handle = *handle;
    return {};
  }

  ApiResult<void> read_function_call(const Json& item, const std::string& path) {
    chat::ToolCall call;
    call.id = TRY(get_field<std::string>(item, "call_id", path));
    call.name = TRY(get_field<std::string>(item, "name", path));
    const auto group = TRY(find_field<std::string>(item, "namespace", path));
    if (group && !group->empty()) call.name = grouped_name(*group, call.name);
    const auto arguments = TRY(find_field<std::string>(item, "arguments", path));
    set_arguments(call, arguments.value_or(""));
    turn(item, /*closed=*/false).calls.push_back(std::move(call));
    return {};
  }

  ApiResult<void> read_custom_call(const Json& item, const std::string& path) {
    chat::ToolCall call;
    call.id = TRY(get_field<std::string>(item, "call_id", path));
    call.name = TRY(get_field<std::string>(item, "name", path));
    std::string input = TRY(get_field<std::string>(item, "input", path));
    call.arguments = Json::object({{"input", std::move(input)}});
    turn(item, /*closed=*/false).calls.push_back(std::move(call));
    return {};
  }

  ApiResult<void> read_output(const Json& item, const std::string& path) {
    Message out{.role = Role::tool};
    out.call_id = TRY(get_field<std::string>(item, "call_id", path));
    if (item.find("output") == nullptr) return refuse(field_path(path, "output"), "is required");
    out.text = TRY(text_of(item, "output", path, between_user_parts));
    messages_.push_back(std::move(out));
    return {};
  }

  Notes& notes_;
  std::vector<Message> messages_;
  std::string answer_;  // of the last item of the model
};

}  // namespace

ApiResult<std::vector<Message>> read_responses_input(const Json& body, Notes& notes) {
  std::vector<Message> out;
  const auto instructions = TRY(find_field<std::string>(body, "instructions"));
  if (instructions && !instructions->empty()) {
    out.push_back({.role = Role::system, .text = *instructions});
  }
  const Json* input = body.find("input");
  if (input == nullptr || input->is_null()) return refuse("input", "is required");
  if (input->is_string()) {
    out.push_back({.role = Role::user, .text = input->as_string()});
    return out;
  }
  if (!input->is_array()) {
    return refuse("input", "expected a string or an array of items, got " +
                               std::string(input->kind_name()));
  }
  ItemReader reader(notes);
  for (std::size_t i = 0; i < input->as_array().size(); ++i) {
    TRY(reader.read(input->as_array()[i], item_path("input", i)));
  }
  for (Message& message : reader.take()) out.push_back(std::move(message));
  if (out.empty()) return refuse("input", "has no message");
  return out;
}

}  // namespace hearth::gateway::openai
