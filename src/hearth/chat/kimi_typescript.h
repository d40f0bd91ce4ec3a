#pragma once
// Tool declarations as Kimi K2.5 and later were trained on them: types in the manner of
// TypeScript instead of JSON Schema. The rules come from the vendor's tokenizer code
// (tool_declaration_ts.py of moonshotai/Kimi-K2.5); pure.

#include <string>
#include <vector>

#include "hearth/chat/message.h"

namespace hearth::chat {

struct TypeScriptTools {
  std::string text;
  // Schemas outside the rules, declared as `any`. (The vendor's code gives up on the whole list
  // instead and falls back to JSON.)
  std::size_t types_degraded = 0;
};

TypeScriptTools typescript_tools(const std::vector<Tool>& tools);

}  // namespace hearth::chat
