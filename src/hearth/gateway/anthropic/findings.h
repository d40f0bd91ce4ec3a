#pragma once
// What is found in passing while a request is read: nothing of it is part of the prompt.

#include <string>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/gateway/fields.h"
#include "hearth/gateway/notes.h"

namespace hearth::gateway::anthropic {

struct Findings : Notes {
  bool marks_cache = false;
  std::vector<std::string> referenced_tools;  // named by tool_reference blocks

  void look_for_cache_mark(const Json& object) {
    const Json* mark = object.find("cache_control");
    if (mark != nullptr && !mark->is_null()) marks_cache = true;
  }
};

}  // namespace hearth::gateway::anthropic
