#include "hearth/eval/suite/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "hearth/base/file.h"
#include "hearth/base/toml.h"
#include "hearth/base/toml_entry.h"
#include "hearth/eval/suite/read_item.h"

namespace hearth::eval {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view item_file = "item.toml";
constexpr std::string_view suite_file = "suite.toml";

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string below(std::string_view label, std::string_view path) {
  return label.empty() ? std::string(path) : fmt::format("{}/{}", label, path);
}

// Each file to the item whose folder it lies in.
std::map<std::string, ItemFiles, std::less<>> group_items(const std::vector<SuiteFile>& files, std::string_view label, TomlProblems& problems) {
  std::map<std::string, ItemFiles, std::less<>> items;
  for (const SuiteFile& file : files) {
    if (file.path != item_file && !file.path.ends_with(fmt::format("/{}", item_file))) continue;
    const std::string id(folder_of(file.path));
    items[id] = {.id = id.empty() ? std::string(label) : id, .folder = below(label, id), .files = {}};
  }
  for (const SuiteFile& file : files) {
    std::string_view folder = folder_of(file.path);
    while (!items.contains(folder) && !folder.empty()) folder = folder_of(folder);
    const auto item = items.find(folder);
    const bool is_for_readers = file.path == suite_file || file.path.ends_with("README.md");
    if (item != items.end()) {
      item->second.files[file.path.substr(folder.empty() ? 0 : folder.size() + 1)] = file.text;
    } else if (!is_for_readers) {
      problems.push_back(fmt::format("{}:1: belongs to no item: no {} in its folder or above", below(label, file.path), item_file));
    }
  }
  return items;
}

std::string suite_name(const std::vector<SuiteFile>& files, std::string_view label, TomlProblems& problems) {
  const auto file = std::ranges::find(files, suite_file, &SuiteFile::path);
  const std::string fallback = label.empty() ? "hearth" : fs::path(label).filename().string();
  if (file == files.end()) return fallback;
  const auto toml = parse_toml(file->text, below(label, suite_file));
  if (!toml) {
    problems.push_back(toml.error().message);
    return fallback;
  }
  TomlEntry entry(*toml, below(label, suite_file), "suite", problems);
  std::string name = entry.text("name");
  entry.informative({"note"});
  entry.finish();
  return name;
}

// Prompts that are equal are one prompt counted twice.
void find_duplicates(const std::vector<Item>& items, TomlProblems& problems) {
  std::map<Digest256, const Item*> seen;
  for (const Item& item : items) {
    std::string all;
    for (const chat::Message& message : item.messages) all += message.text + '\n';
    const auto [first, is_new] = seen.emplace(blake2b(as_byte_span(all)), &item);
    if (!is_new) problems.push_back(fmt::format("{}:1: has the same prompt as {}", item.file, first->second->file));
  }
}

}  // namespace

const Item* Suite::find(std::string_view id) const {
  const auto found = std::ranges::lower_bound(items, id, {}, &Item::id);
  return found != items.end() && found->id == id ? &*found : nullptr;
}

LoadedSuite load_suite(const std::vector<SuiteFile>& files, std::string_view label) {
  LoadedSuite out;
  out.suite.name = suite_name(files, label, out.problems);
  for (const auto& [folder, item_files] : group_items(files, label, out.problems)) {
    if (auto item = read_item(item_files, out.problems)) out.suite.items.push_back(std::move(*item));
  }
  if (out.suite.items.empty() && out.problems.empty()) {
    out.problems.push_back(fmt::format("{}: no item: expected folders with {} and prompt.md; see docs/formats/eval_item.md", label, item_file));
  }
  std::ranges::sort(out.suite.items, {}, &Item::id);
  find_duplicates(out.suite.items, out.problems);
  Blake2b digest;
  for (const Item& item : out.suite.items) digest.update(item_digest(item).bytes);
  out.suite.digest = digest.finish();
  return out;
}

Result<std::vector<SuiteFile>> read_suite_files(const fs::path& folder) {
  std::vector<SuiteFile> out;
  std::uint64_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator entries(folder, error);
  if (error) return fail(Code::not_found, fmt::format("{}: {}; expected a folder with items", folder.string(), error.message()));
  for (const fs::recursive_directory_iterator end; entries != end; entries.increment(error)) {
    if (error) return fail(Code::unavailable, fmt::format("reading {}: {}", folder.string(), error.message()));
    const fs::path& path = entries->path();
    const std::string name = path.filename().string();
    if (name.starts_with('.') || name == "__pycache__") {
      if (entries->is_directory(error)) entries.disable_recursion_pending();
      continue;
    }
    if (entries->is_symlink(error) || !entries->is_regular_file(error)) continue;
    std::string text = TRY(read_text_file(path, suite_file_bytes_max));
    bytes += text.size();
    if (out.size() == suite_files_max || bytes > suite_bytes_max) {
      return fail(Code::resource_exhausted, fmt::format("{} has more than {} files or {} bytes; is it the right folder?", folder.string(), suite_files_max, suite_bytes_max));
    }
    out.push_back({path.lexically_relative(folder).generic_string(), std::move(text)});
  }
  std::ranges::sort(out, {}, &SuiteFile::path);
  return out;
}

Result<Suite> open_suite(const fs::path& folder_or_empty) {
  LoadedSuite loaded;
  if (folder_or_empty.empty()) {
    loaded = load_suite(shipped_suite_files(), "");
  } else {
    loaded = load_suite(TRY(read_suite_files(folder_or_empty)), folder_or_empty.string());
  }
  if (loaded.problems.empty()) return std::move(loaded.suite);
  return fail(Code::invalid_argument, fmt::format("{}", fmt::join(loaded.problems, "\n")));
}

}  // namespace hearth::eval
