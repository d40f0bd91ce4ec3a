#pragma once
// JSON as Python's json.dumps writes it: reference templates were made with it, and models were
// trained on its spaces and its numbers. Not for the wire (base/json.h is).

#include <string>

#include "hearth/base/json.h"

namespace hearth::chat {

enum class JsonSpacing : std::uint8_t {
  spaced,   // {"a": 1, "b": [1, 2]}: the default of json.dumps
  compact,  // {"a":1,"b":[1,2]}: separators=(',', ':')
  indented,  // four spaces: indent=4
};

// ensure_ascii=False. 1.0 stays "1.0".
std::string python_json(const Json& value, JsonSpacing spacing = JsonSpacing::spaced);

// str(value) of what json.loads gave: True, None, 1.0; strings as they are; containers as JSON.
std::string python_str(const Json& value);

// Keys sorted by code point at every level; arrays keep their order.
Json sort_keys(const Json& value);

}  // namespace hearth::chat
