#include "hearth/gateway/openai/thinking.h"

#include <algorithm>
#include <array>

namespace hearth::gateway::openai {
namespace {

constexpr std::array<std::string_view, 6> efforts = {"minimal", "low",   "medium",
                                                     "high",    "xhigh", "max"};

// The switches of the two template families that have one.
ApiResult<std::optional<bool>> read_template_switch(const Json& body, Notes& notes) {
  std::optional<bool> out;
  const Json* arguments = TRY(find_object(body, "chat_template_kwargs"));
  if (arguments == nullptr) return out;
  for (const auto& [key, value] : arguments->as_object()) {
    if (key != "enable_thinking" && key != "thinking") {
      notes.note("chat_template_kwargs ignored", key);
      continue;
    }
    const auto flag = TRY(find_field<bool>(*arguments, key, "chat_template_kwargs"));
    if (flag) out = flag;
  }
  return out;
}

// {"type": "enabled"}, as vendors of thinking models have it in their own chat APIs.
ApiResult<std::optional<bool>> read_vendor_switch(const Json& body, Notes& notes) {
  std::optional<bool> out;
  const Json* thinking = TRY(find_object(body, "thinking"));
  if (thinking == nullptr) return out;
  const std::string type = TRY(get_field<std::string>(*thinking, "type", "thinking"));
  if (type == "enabled" || type == "disabled") {
    out = type == "enabled";
  } else {
    notes.note("unknown thinking.type, the model does as it is used to", type);
  }
  return out;
}

}  // namespace

std::optional<bool> thinking_of_effort(const std::string& effort, Notes& notes) {
  if (effort == "none") return false;
  if (std::find(efforts.begin(), efforts.end(), effort) != efforts.end()) return true;
  notes.note("unknown reasoning effort, the model does as it is used to", effort);
  return std::nullopt;
}

ApiResult<std::optional<bool>> read_chat_thinking(const Json& body, Notes& notes) {
  const auto effort = TRY(find_field<std::string>(body, "reasoning_effort"));
  const auto by_vendor = TRY(read_vendor_switch(body, notes));
  const auto by_template = TRY(read_template_switch(body, notes));
  if (by_template) return by_template;
  if (by_vendor) return by_vendor;
  return effort ? thinking_of_effort(*effort, notes) : std::nullopt;
}

}  // namespace hearth::gateway::openai
