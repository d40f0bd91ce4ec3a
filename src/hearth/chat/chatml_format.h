#pragma once
// Formats built on <|im_start|>ROLE ... <|im_end|>: Qwen3, Qwen3-Coder, Qwen3.5 and later, and
// ChatML models of which nothing else is known.

#include "hearth/chat/format.h"

namespace hearth::chat {

struct ChatMlTraits {
  enum class Tools : std::uint8_t {
    hermes,    // {"name":...,"arguments":...} in <tool_call> tags
    coder,     // <function=..><parameter=..> tags; tools declared in tags as well
    tag_json,  // the same calls; tools declared as JSON
  };
  // Which turns get a thinking block in reference templates; with preserve_thinking all do.
  enum class Thinking : std::uint8_t {
    never,   // the model does not think
    qwen3,   // after the last question: turns with thinking, and the last turn
    qwen35,  // after the last question: every turn
  };
  std::string_view name = "chatml";
  Tools tools = Tools::hermes;
  Thinking thinking = Thinking::never;
  bool prompt_opens = false;    // the generation prompt writes <think> itself
  bool trims_text = false;      // content is trimmed as Qwen3.5 does
  bool json_scalars = false;    // true instead of Python's True in parameters
  bool late_system = true;      // system messages may come later; else they become user turns
};

std::unique_ptr<Format> make_chatml_format(ChatMlTraits traits);

// The system prompt's tool section, for chatml_format.cpp.
void chatml_tool_section(SegmentList& list, ChatMlTraits::Tools style,
                         const std::vector<Tool>& tools);

}  // namespace hearth::chat
