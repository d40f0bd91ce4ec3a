#pragma once
// The memory tool of the Anthropic API (memory_20250818), carried out on files that are a value: what
// the model calls, what it is told, and nothing on the disk. Whoever holds the files decides what
// becomes of them. Replies are worded as the reference executor words them (docs/memory.md).
//
// Pure. A mistake of the model is a reply with is_error, never an Error.

#include <string>
#include <string_view>

#include "hearth/base/json.h"
#include "hearth/session/memory_files.h"

namespace hearth::session {

inline constexpr std::string_view memory_tool_type = "memory_20250818";
inline constexpr std::string_view memory_tool_root = "/memories";
// Longer replies to view are cut at a line, and say how to see the rest.
inline constexpr std::size_t memory_view_bytes_max = 128u << 10;

struct ToolReply {
  std::string text;
  bool is_error = false;
  bool operator==(const ToolReply&) const = default;
};

// `input` is what the model gave as arguments. `files` is changed only by a reply without error.
ToolReply run_memory_tool(const Json& input, MemoryFiles& files);

// "/memories/notes/a.md" to "notes/a.md", "/memories" to "". invalid_argument for everything that
// is not below it, however it is spelt.
Result<std::string> memory_tool_path(std::string_view path);

}  // namespace hearth::session
