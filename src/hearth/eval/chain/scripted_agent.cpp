#include "hearth/eval/chain/scripted_agent.h"

#include <algorithm>

namespace hearth::eval {
namespace {

std::uint32_t steps_done(const chat::Conversation& conversation) {
  std::uint32_t out = 0;
  for (const chat::Message& message : conversation.messages) {
    if (message.role == chat::Role::tool && message.text.find("\"ticket\"") != std::string::npos) {
      ++out;
    }
  }
  return out;
}

ModelTurn calling(chat::ToolCall call) {
  call.id.clear();
  ModelTurn out;
  out.calls.push_back(std::move(call));
  return out;
}

}  // namespace

ModelTurn ScriptedAgent::answer(const chat::Conversation& conversation) {
  const std::uint32_t done = steps_done(conversation);
  if (random_.chance(error_rate_)) {
    const ChainError kind = kinds_.empty() ? ChainError::hallucinated_argument
                                           : kinds_[random_.below(kinds_.size())];
    return mistake(kind, done);
  }
  if (done >= world_.calls()) {
    return {.text = "DONE " + world_.ticket(world_.calls()), .thinking = {}};
  }
  return calling(world_.gold_call(done));
}

ModelTurn ScriptedAgent::mistake(ChainError kind, std::uint32_t done) const {
  const std::uint32_t index = std::min(done, world_.calls() - 1);
  chat::ToolCall call = world_.gold_call(index);
  switch (kind) {
    case ChainError::transport: return {.text = {}, .thinking = {}, .calls = {}, .failed = true};
    case ChainError::template_leak:
      return {.text = "<|tool_call_begin|>functions.weigh_part:0", .thinking = {}};
    case ChainError::call_as_text:
      return {.text = call.name + dump_json(call.arguments), .thinking = {}};
    case ChainError::premature_stop: return {.text = "That is all I can say.", .thinking = {}};
    case ChainError::false_success: return {.text = "DONE " + world_.ticket(index), .thinking = {}};
    case ChainError::bad_json: call.raw_arguments = "{\"item\": "; break;
    case ChainError::unknown_tool: call.name = "polish_floor"; break;
    case ChainError::schema_invalid: call.arguments.erase("amount"); break;
    case ChainError::wrong_tool:
      call.name = world_.tools().front().name == call.name ? world_.tools().back().name
                                                           : world_.tools().front().name;
      call.arguments.set("item", "square circle");
      break;
    case ChainError::wrong_order:
      call = world_.gold_call(std::min(index + 1, world_.calls() - 1));
      break;
    case ChainError::duplicate:
    case ChainError::loop: call = world_.gold_call(index > 0 ? index - 1 : 0); break;
    case ChainError::stale_value:
      call.arguments.set("ticket", world_.ticket(index > 0 ? index - 1 : 0));
      break;
    case ChainError::none: break;
    case ChainError::hallucinated_argument: call.arguments.set("ticket", "AAAAAAA"); break;
  }
  return calling(std::move(call));
}

}  // namespace hearth::eval
