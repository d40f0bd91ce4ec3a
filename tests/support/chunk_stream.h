#pragma once
// The grammar of chunked OpenAI streams (chat and plain completions), checked from the outside:
// bytes in, complaints out.

#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"

namespace hearth::test {

struct ChunkStream {
  std::vector<std::string> complaints;  // empty: the stream keeps the rules
  Json whole;                           // the answer that a client builds from it
  bool failed = false;                  // ended with an error
};

// Rules: events without names; the same head in each chunk; the role first and once (chat); one
// choice a chunk, calls numbered 0, 1, 2, ... with id and name in their first piece only; one
// finish_reason, then usage if and only if `with_usage`, then [DONE]; or an error; nothing after.
ChunkStream read_chat_stream(std::string_view bytes, bool with_usage);
ChunkStream read_completion_stream(std::string_view bytes, bool with_usage);

}  // namespace hearth::test
