#include "hearth/chat/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace hearth::chat {
namespace {

constexpr std::string_view unparsed_input_key = "__unparsedToolInput";

// The results of one assistant turn, in call order, and what else came before the next turn.
struct Answers {
  std::vector<std::optional<Message>> results;
  std::vector<Message> others;
};

Result<> check_ids(const std::vector<ToolCall>& calls) {
  for (std::size_t i = 0; i < calls.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (calls[i].id == calls[j].id) {
        return fail(Code::invalid_argument,
                    fmt::format("tool call id '{}' is used twice in one assistant message; each "
                                "call needs an id of its own", calls[i].id));
      }
    }
  }
  return {};
}

Result<> place(Answers& answers, const std::vector<ToolCall>& calls, Message message) {
  if (message.role != Role::tool) {
    answers.others.push_back(std::move(message));
    return {};
  }
  const auto call = std::find_if(calls.begin(), calls.end(), [&](const ToolCall& candidate) {
    return candidate.id == message.call_id;
  });
  if (call == calls.end()) {
    return fail(Code::invalid_argument,
                fmt::format("tool result for '{}', but the assistant message before it has no such "
                            "call", message.call_id));
  }
  auto& slot = answers.results[static_cast<std::size_t>(call - calls.begin())];
  if (slot) {
    return fail(Code::invalid_argument,
                fmt::format("tool call '{}' has two results; send one", message.call_id));
  }
  slot = std::move(message);
  return {};
}

Result<> append(std::vector<Message>& out, Answers answers, const std::vector<ToolCall>& calls,
                bool last_turn) {
  const bool answered = std::any_of(answers.results.begin(), answers.results.end(),
                                    [](const auto& result) { return result.has_value(); });
  const bool open_end = last_turn && !answered && answers.others.empty();
  for (std::size_t i = 0; i < calls.size() && !open_end; ++i) {
    if (!answers.results[i]) {
      return fail(Code::invalid_argument,
                  fmt::format("tool call '{}' ({}) has no result; every call of a turn needs one "
                              "before the conversation goes on", calls[i].id, calls[i].name));
    }
    out.push_back(std::move(*answers.results[i]));
  }
  for (Message& message : answers.others) out.push_back(std::move(message));
  return {};
}

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::system: return "system";
    case Role::user: return "user";
    case Role::assistant: return "assistant";
    case Role::tool: return "tool";
  }
  return "user";
}

Json tool_json(const Tool& tool) {
  Json function = Json::object({{"name", tool.name}});
  if (!tool.description.empty()) function.set("description", tool.description);
  if (!tool.parameters.is_null()) function.set("parameters", tool.parameters);
  return Json::object({{"type", "function"}, {"function", std::move(function)}});
}

void restore_unparsed_input(ToolCall& call) {
  const Json* wrapped = call.arguments.find(unparsed_input_key);
  if (wrapped == nullptr || call.arguments.as_object().size() != 1) return;
  const Json* raw = wrapped->find("raw");
  if (raw == nullptr || !raw->is_string()) return;
  std::string text = raw->as_string();
  call.raw_arguments = std::move(text);
  call.arguments = Json::object();
}

Result<Conversation> arrange(Conversation conversation) {
  std::vector<Message> out;
  std::vector<Message>& in = conversation.messages;
  out.reserve(in.size());
  for (std::size_t i = 0; i < in.size();) {
    if (in[i].role == Role::tool) {
      return fail(Code::invalid_argument,
                  fmt::format("tool result for '{}', but no assistant message before it made that "
                              "call", in[i].call_id));
    }
    out.push_back(std::move(in[i]));
    ++i;
    if (out.back().calls.empty()) continue;
    const std::vector<ToolCall> calls = out.back().calls;
    TRY(check_ids(calls));
    Answers answers{std::vector<std::optional<Message>>(calls.size()), {}};
    for (; i < in.size() && in[i].role != Role::assistant; ++i) {
      TRY(place(answers, calls, std::move(in[i])));
    }
    TRY(append(out, std::move(answers), calls, i == in.size()));
  }
  conversation.messages = std::move(out);
  return conversation;
}

}  // namespace hearth::chat
