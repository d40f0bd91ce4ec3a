#include "hearth/chat/client_tools.h"

#include <algorithm>
#include <array>

#include "hearth/base/check.h"

namespace hearth::chat {
namespace {

struct ClientTool {
  std::string_view family;   // the type is this, an underscore and a date
  std::string_view version;  // empty: every version without a line of its own
  std::string_view name;
  std::string_view description;
  std::string_view parameters;
};

constexpr std::string_view bash_parameters = R"json({
  "type": "object",
  "properties": {
    "command": {"type": "string", "description": "Command line to run."},
    "restart": {"type": "boolean", "description": "Start a fresh shell instead of running a command."}
  }
})json";

constexpr std::string_view editor_description =
    "Views and edits text files. view shows a file with line numbers, or lists a directory; create "
    "writes a whole file; str_replace replaces one exact, unique occurrence of old_str by new_str; "
    "insert puts text after a line.";

// With undo_edit, and insert takes its text from new_str.
constexpr std::string_view first_editor_parameters = R"json({
  "type": "object",
  "properties": {
    "command": {"type": "string", "enum": ["view", "create", "str_replace", "insert", "undo_edit"]},
    "path": {"type": "string", "description": "Absolute path of the file or directory."},
    "file_text": {"type": "string", "description": "create: the content of the new file."},
    "old_str": {"type": "string", "description": "str_replace: text that occurs exactly once."},
    "new_str": {"type": "string", "description": "str_replace: what takes its place. insert: what is put in."},
    "insert_line": {"type": "integer", "description": "insert: line after which to put it; 0 is the beginning."},
    "view_range": {"type": "array", "items": {"type": "integer"}, "description": "view: first and last line; -1 is the end."}
  },
  "required": ["command", "path"]
})json";

constexpr std::string_view editor_parameters = R"json({
  "type": "object",
  "properties": {
    "command": {"type": "string", "enum": ["view", "create", "str_replace", "insert"]},
    "path": {"type": "string", "description": "Absolute path of the file or directory."},
    "file_text": {"type": "string", "description": "create: the content of the new file."},
    "old_str": {"type": "string", "description": "str_replace: text that occurs exactly once."},
    "new_str": {"type": "string", "description": "str_replace: what takes its place."},
    "insert_line": {"type": "integer", "description": "insert: line after which to put it; 0 is the beginning."},
    "insert_text": {"type": "string", "description": "insert: what is put in."},
    "view_range": {"type": "array", "items": {"type": "integer"}, "description": "view: first and last line; -1 is the end."}
  },
  "required": ["command", "path"]
})json";

constexpr std::string_view memory_parameters = R"json({
  "type": "object",
  "properties": {
    "command": {"type": "string", "enum": ["view", "create", "str_replace", "insert", "delete", "rename"]},
    "path": {"type": "string", "description": "All but rename: path below /memories."},
    "file_text": {"type": "string", "description": "create: the content of the file."},
    "old_str": {"type": "string", "description": "str_replace: text that occurs exactly once."},
    "new_str": {"type": "string", "description": "str_replace: what takes its place."},
    "insert_line": {"type": "integer", "description": "insert: line after which to put it; 0 is the beginning."},
    "insert_text": {"type": "string", "description": "insert: what is put in."},
    "view_range": {"type": "array", "items": {"type": "integer"}, "description": "view: first and last line; -1 is the end."},
    "old_path": {"type": "string", "description": "rename: what is there."},
    "new_path": {"type": "string", "description": "rename: what it is called then."}
  },
  "required": ["command"]
})json";

constexpr std::array<ClientTool, 4> client_tools = {{
    {"bash", "", "bash", "Runs a command in a shell that stays open between calls.",
     bash_parameters},
    {"text_editor", "20250124", "str_replace_editor", editor_description, first_editor_parameters},
    {"text_editor", "", "str_replace_based_edit_tool", editor_description, editor_parameters},
    {"memory", "", "memory",
     "Keeps notes in files below /memories that outlive this conversation. Look there before you "
     "begin, and write down what will be needed later.",
     memory_parameters},
}};

bool fits(const ClientTool& tool, std::string_view type) {
  if (!type.starts_with(tool.family) || type.size() <= tool.family.size() + 1) return false;
  const std::string_view version = type.substr(tool.family.size() + 1);
  if (type[tool.family.size()] != '_') return false;
  if (!tool.version.empty()) return version == tool.version;
  return version.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::optional<Tool> client_tool(std::string_view type) {
  const auto found = std::find_if(client_tools.begin(), client_tools.end(),
                                  [&](const ClientTool& tool) { return fits(tool, type); });
  if (found == client_tools.end()) return std::nullopt;
  auto parameters = parse_json(found->parameters);
  CHECK(parameters);
  return Tool{std::string(found->name), std::string(found->description),
                    *std::move(parameters)};
}

}  // namespace hearth::chat
