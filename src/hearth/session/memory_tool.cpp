#include "hearth/session/memory_tool.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "hearth/base/utf8.h"

namespace hearth::session {
namespace {

constexpr std::size_t view_lines_max = 999'999;
constexpr std::size_t snippet_context_lines = 2;
constexpr std::size_t listed_depth = 2;

using Lines = std::vector<std::string_view>;

Lines lines_of(std::string_view text) {
  Lines out;
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find('\n', begin);
    out.push_back(text.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (end == std::string_view::npos) return out;
    begin = end + 1;
  }
}

ToolReply refuse(std::string message) { return {std::move(message), true}; }

std::string outward(std::string_view path) {
  return path.empty() ? std::string(memory_tool_root) : fmt::format("{}/{}", memory_tool_root, path);
}

bool is_folder(const MemoryFiles& files, std::string_view path) {
  if (path.empty()) return true;
  const std::string inside = std::string(path) + "/";
  const auto first = files.lower_bound(inside);
  return first != files.end() && first->first.starts_with(inside);
}

// "%2e", "%2F": what a careless executor decodes after it has looked.
bool has_escape(std::string_view path) {
  const auto is_hex = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  };
  for (std::size_t i = 0; i + 2 < path.size(); ++i) {
    if (path[i] == '%' && is_hex(path[i + 1]) && is_hex(path[i + 2])) return true;
  }
  return false;
}

std::string size_text(std::size_t bytes) {
  if (bytes < 1024) return fmt::format("{}B", bytes);
  return fmt::format("{:.1f}{}", static_cast<double>(bytes) / (bytes < (1u << 20) ? 1024.0 : 1048576.0),
                     bytes < (1u << 20) ? "K" : "M");
}

// Each folder and file below `folder`, at most two levels deep, with its size.
std::map<std::string, std::size_t> entries_below(const MemoryFiles& files, std::string_view folder) {
  const std::string inside = folder.empty() ? std::string() : std::string(folder) + "/";
  std::map<std::string, std::size_t> out{{std::string(folder), 0}};
  for (auto file = files.lower_bound(inside); file != files.end() && file->first.starts_with(inside); ++file) {
    out[std::string(folder)] += file->second.size();
    if (file->first.find("node_modules/") != std::string::npos) continue;
    std::size_t end = inside.size();
    for (std::size_t depth = 0; depth < listed_depth && end != std::string::npos; ++depth) {
      end = file->first.find('/', end);
      out[file->first.substr(0, end)] += file->second.size();
      if (end != std::string::npos) ++end;
    }
  }
  return out;
}

std::string numbered(const Lines& lines, std::size_t first, std::size_t last) {
  std::string out;
  for (std::size_t i = first; i <= last; ++i) out += fmt::format("{:>6}\t{}\n", i, lines[i - 1]);
  if (!out.empty()) out.pop_back();
  return out;
}

// The lines around a change, as the model sees them after an edit.
std::string snippet(std::string_view text, std::size_t first, std::size_t last) {
  const Lines lines = lines_of(text);
  first = first > snippet_context_lines ? first - snippet_context_lines : 1;
  last = std::min(lines.size(), last + snippet_context_lines);
  return numbered(lines, first, last);
}

std::size_t line_of(std::string_view text, std::size_t position) {
  return 1 + static_cast<std::size_t>(std::ranges::count(text.substr(0, position), '\n'));
}

// One call. A mistake in the arguments is an Error here and a reply outside.
class Command {
 public:
  Command(const Json& input, MemoryFiles& files) : input_(input), files_(files) {}

  Result<ToolReply> run() {
    const auto command = TRY(get<std::string>(input_, "command"));
    if (command == "rename") return rename();
    const std::string path = TRY(path_argument("path"));
    if (command == "view") return view(path);
    if (command == "create") return create(path);
    if (command == "str_replace") return replace(path);
    if (command == "insert") return insert(path);
    if (command == "delete") return remove(path);
    return refuse(fmt::format("Error: Unknown command {}. The commands are view, create, str_replace, insert, "
                              "delete and rename.", command.substr(0, 40)));
  }

 private:
  Result<std::string> path_argument(std::string_view name) const {
    const auto given = TRY(get<std::string>(input_, name));
    return memory_tool_path(given);
  }

  static ToolReply missing(const std::string& path) {
    return refuse(fmt::format("Error: The path {} does not exist. Please provide a valid path.", outward(path)));
  }

  // The new text of a file, if it may have it.
  Result<> put(const std::string& path, std::string text) {
    TRY(check_memory_path(path));
    TRY(check_memory_text(path, text));
    MemoryFiles after = files_;
    after[path] = std::move(text);
    TRY(check_memory_files(after));
    files_ = std::move(after);
    return {};
  }

  Result<ToolReply> view(const std::string& path) {
    const auto file = files_.find(path);
    if (file == files_.end()) return is_folder(files_, path) ? view_folder(path) : missing(path);
    const Lines lines = lines_of(file->second);
    if (lines.size() > view_lines_max) {
      return refuse(fmt::format("Error: File {} exceeds maximum line limit of 999,999 lines.", outward(path)));
    }
    std::size_t first = 1;
    std::size_t last = lines.size();
    TRY(read_range(lines.size(), first, last));
    std::size_t bytes = 0;
    std::size_t shown = first;
    while (shown <= last && (shown == first || bytes + lines[shown - 1].size() + 8 <= memory_view_bytes_max)) {
      bytes += lines[shown++ - 1].size() + 8;
    }
    std::string text = fmt::format("Here's the content of {} with line numbers:\n{}", outward(path),
                                   numbered(lines, first, shown - 1));
    if (shown <= last) {
      text += fmt::format("\n(cut after line {} of {}; see the rest with view_range [{}, -1])", shown - 1,
                          lines.size(), shown);
    }
    return ToolReply{std::move(text)};
  }

  Result<> read_range(std::size_t line_count, std::size_t& first, std::size_t& last) const {
    const Json* range = input_.find("view_range");
    if (range == nullptr || range->is_null()) return {};
    const bool pair = range->is_array() && range->as_array().size() == 2 && range->as_array()[0].is_integer() &&
                      range->as_array()[1].is_integer();
    const std::int64_t from = pair ? range->as_array()[0].as_integer() : 0;
    const std::int64_t to = pair ? range->as_array()[1].as_integer() : 0;
    const auto count = static_cast<std::int64_t>(line_count);
    if (!pair || from < 1 || from > count || (to != -1 && (to < from || to > count))) {
      return fail(Code::invalid_argument,
                  fmt::format("Error: Invalid `view_range` parameter. It should be two line numbers within [1, {}], "
                              "the second may be -1.", line_count));
    }
    first = static_cast<std::size_t>(from);
    last = to == -1 ? line_count : static_cast<std::size_t>(to);
    return {};
  }

  ToolReply view_folder(const std::string& path) const {
    std::string text = fmt::format("Here're the files and directories up to 2 levels deep in {}, excluding hidden "
                                   "items and node_modules:", outward(path));
    for (const auto& [entry, bytes] : entries_below(files_, path)) {
      text += fmt::format("\n{}\t{}", size_text(bytes), outward(entry));
    }
    return {std::move(text)};
  }

  Result<ToolReply> create(const std::string& path) {
    auto text = TRY(get<std::string>(input_, "file_text"));
    if (files_.contains(path) || is_folder(files_, path)) {
      return refuse(fmt::format("Error: File {} already exists", outward(path)));
    }
    TRY(check_parents(path));
    TRY(put(path, std::move(text)));
    return ToolReply{fmt::format("File created successfully at: {}", outward(path))};
  }

  Result<ToolReply> replace(const std::string& path) {
    const auto old_text = TRY(get<std::string>(input_, "old_str"));
    const auto new_text = TRY(get_or<std::string>(input_, "new_str", ""));
    const auto file = files_.find(path);
    if (file == files_.end()) return missing(path);
    const std::string& text = file->second;
    std::vector<std::size_t> places;
    for (std::size_t at = old_text.empty() ? std::string::npos : text.find(old_text); at != std::string::npos;
         at = text.find(old_text, at + 1)) {
      places.push_back(at);
    }
    if (places.empty()) {
      return refuse(fmt::format("No replacement was performed, old_str `{}` did not appear verbatim in {}.", old_text,
                                outward(path)));
    }
    if (places.size() > 1) {
      std::set<std::size_t> lines;
      for (const std::size_t place : places) lines.insert(line_of(text, place));
      return refuse(fmt::format("No replacement was performed. Multiple occurrences of old_str `{}` in lines: {}. "
                                "Please ensure it is unique", old_text, fmt::join(lines, ", ")));
    }
    std::string edited = text;
    edited.replace(places.front(), old_text.size(), new_text);
    const std::size_t first = line_of(edited, places.front());
    const std::string shown = snippet(edited, first, line_of(edited, places.front() + new_text.size()));
    TRY(put(path, std::move(edited)));
    return ToolReply{"The memory file has been edited.\n" + shown};
  }

  Result<ToolReply> insert(const std::string& path) {
    const auto line = TRY(get<std::int64_t>(input_, "insert_line"));
    auto text = TRY(get<std::string>(input_, "insert_text"));
    const auto file = files_.find(path);
    if (file == files_.end()) return missing(path);
    Lines lines = lines_of(file->second);
    if (file->second.ends_with('\n')) lines.pop_back();  // what follows the last newline is no line
    if (file->second.empty()) lines.clear();
    if (line < 0 || line > static_cast<std::int64_t>(lines.size())) {
      return refuse(fmt::format("Error: Invalid `insert_line` parameter: {}. It should be within the range of lines "
                                "of the file: [0, {}]", line, lines.size()));
    }
    if (text.ends_with('\n')) text.pop_back();
    lines.insert(lines.begin() + line, text);
    std::string edited = fmt::format("{}", fmt::join(lines, "\n"));
    if (file->second.empty() || file->second.ends_with('\n')) edited += '\n';
    TRY(put(path, std::move(edited)));
    return ToolReply{fmt::format("The file {} has been edited.", outward(path))};
  }

  Result<ToolReply> remove(const std::string& path) {
    if (path.empty()) return refuse("Error: The /memories directory itself cannot be deleted");
    if (files_.erase(path) == 0) {
      if (!is_folder(files_, path)) return refuse(fmt::format("Error: The path {} does not exist", outward(path)));
      std::erase_if(files_, [&](const auto& file) { return file.first.starts_with(path + "/"); });
    }
    return ToolReply{fmt::format("Successfully deleted {}", outward(path))};
  }

  Result<ToolReply> rename() {
    const std::string from = TRY(path_argument("old_path"));
    const std::string to = TRY(path_argument("new_path"));
    if (from.empty() || to.empty()) return refuse("Error: The /memories directory itself cannot be renamed");
    const bool folder = !files_.contains(from);
    if (folder && !is_folder(files_, from)) {
      return refuse(fmt::format("Error: The path {} does not exist", outward(from)));
    }
    if (files_.contains(to) || is_folder(files_, to)) {
      return refuse(fmt::format("Error: The destination {} already exists", outward(to)));
    }
    if (to.starts_with(from + "/")) return refuse("Error: A directory cannot be renamed into itself");
    TRY(check_parents(to));
    MemoryFiles after;
    for (const auto& [path, text] : files_) {
      const bool moved = folder ? path.starts_with(from + "/") : path == from;
      const std::string name = moved ? to + path.substr(from.size()) : path;
      TRY(check_memory_path(name));
      after[name] = text;
    }
    TRY(check_memory_files(after));
    files_ = std::move(after);
    return ToolReply{fmt::format("Successfully renamed {} to {}", outward(from), outward(to))};
  }

  // A file is nobody's folder.
  Result<> check_parents(const std::string& path) const {
    for (std::size_t end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1)) {
      if (!files_.contains(path.substr(0, end))) continue;
      return fail(Code::invalid_argument,
                  fmt::format("Error: {} is a file, not a directory", outward(path.substr(0, end))));
    }
    return {};
  }

  const Json& input_;
  MemoryFiles& files_;
};

}  // namespace

Result<std::string> memory_tool_path(std::string_view path) {
  const std::string shown = replace_invalid_utf8(path.substr(0, memory_path_bytes_max));
  if (!path.starts_with(memory_tool_root) ||
      (path.size() > memory_tool_root.size() && path[memory_tool_root.size()] != '/')) {
    return fail(Code::invalid_argument,
                fmt::format("Error: Path must start with /memories, got: {}", shown));
  }
  std::string_view inside = path.substr(memory_tool_root.size());
  if (!inside.empty()) inside.remove_prefix(1);
  if (inside.ends_with('/')) inside.remove_suffix(1);
  if (inside.empty()) return std::string();
  if (has_escape(inside) || !check_memory_path(inside)) {
    return fail(Code::invalid_argument,
                fmt::format("Error: Path {} would escape /memories, or has a name that memory files cannot have",
                            shown));
  }
  return std::string(inside);
}

ToolReply run_memory_tool(const Json& input, MemoryFiles& files) {
  if (!input.is_object()) return refuse("Error: The input must be an object with a command");
  auto reply = Command(input, files).run();
  if (reply) return *std::move(reply);
  std::string message = std::move(reply.error().message);
  if (!message.starts_with("Error: ")) message.insert(0, "Error: ");
  return refuse(std::move(message));
}

}  // namespace hearth::session
