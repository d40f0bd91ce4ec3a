#pragma once
// The grammar of a Messages stream, checked from the outside: bytes in, complaints out.

#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"

namespace hearth::test {

struct AnthropicStream {
  std::vector<std::string> complaints;  // empty: the stream keeps the rules
  Json message;                         // what a client builds from it
  bool failed = false;                  // ended with an error event
};

// Rules: one message_start, first; blocks numbered 0, 1, 2, ... and closed before the next opens;
// deltas only into an open block of their type; pieces of arguments make one JSON object; one
// message_delta with a reason and usage, then message_stop, or an error; nothing after that; every
// event has its name and the same type inside; ping anywhere after message_start.
AnthropicStream read_anthropic_stream(std::string_view bytes);

}  // namespace hearth::test
