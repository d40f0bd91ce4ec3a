#include "hearth/eval/kl/text_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/file.h"
#include "hearth/base/utf8.h"

namespace hearth::eval {
namespace {

namespace fs = std::filesystem;

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

struct Found {
  fs::path path;
  std::string name, text_class;
};

Result<std::vector<Found>> find_in_folder(const fs::path& folder) {
  std::vector<Found> out;
  std::error_code error;
  fs::recursive_directory_iterator it(folder, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    const fs::directory_entry& entry = *it;
    if (entry.is_symlink() || is_hidden(entry.path())) {
      if (entry.is_directory()) it.disable_recursion_pending();
      continue;
    }
    if (!entry.is_regular_file()) continue;
    const fs::path relative = entry.path().lexically_relative(folder);
    const bool is_loose = std::next(relative.begin()) == relative.end();
    out.push_back({entry.path(), relative.generic_string(),
                   is_loose ? std::string(class_of_loose_texts) : relative.begin()->string()});
  }
  if (error) return fail(Code::not_found, fmt::format("{}: {}", folder.string(), error.message()));
  std::ranges::sort(out, {}, &Found::name);
  return out;
}

void add_lines(const Found& found, std::string_view text, std::vector<TextFile>& out) {
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    ++number;
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) {
      out.push_back(
          {fmt::format("{}:{}", found.name, number), found.text_class, std::string(line), true});
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

Result<> add_file(const Found& found, std::vector<TextFile>& out) {
  const std::string text = TRY(read_text_file(found.path, text_file_bytes_max));
  if (const std::size_t bad = find_invalid_utf8(text); bad != std::string::npos) {
    return fail(Code::invalid_argument,
                fmt::format("{} is not UTF-8 at byte {}: take it out of the folder, or convert it",
                            found.path.string(), bad));
  }
  const std::string extension = found.path.extension().string();
  if (extension == ".jsonl") {
    add_lines(found, text, out);
  } else if (text.find_first_not_of(" \t\r\n") != std::string::npos) {
    out.push_back({found.name, found.text_class, text, extension == ".json"});
  }
  return {};
}

}  // namespace

Result<std::vector<TextFile>> read_text_files(std::span<const fs::path> paths) {
  std::vector<TextFile> out;
  for (const fs::path& path : paths) {
    std::error_code error;
    std::vector<Found> found;
    if (fs::is_directory(path, error)) {
      found = TRY(find_in_folder(path));
    } else {
      found.push_back({path, path.filename().string(), std::string(class_of_loose_texts)});
    }
    for (const Found& one : found) {
      TRY(add_file(one, out));
      std::uint64_t bytes = 0;
      for (const TextFile& file : out) bytes += file.text.size();
      if (bytes > text_files_bytes_max) {
        return fail(Code::invalid_argument,
                    fmt::format("the texts have more than {} bytes together; give fewer",
                                text_files_bytes_max));
      }
    }
  }
  if (out.empty()) {
    return fail(Code::invalid_argument,
                "no text: give files, or folders with texts and transcripts (.json, .jsonl)");
  }
  return out;
}

Digest256 digest_of(std::span<const TextFile> files) {
  Blake2b hash;
  for (const TextFile& file : files) {
    hash.update_sized(file.name).update_sized(file.text_class).update_sized(file.text);
    hash.update_number(static_cast<std::uint8_t>(file.is_transcript));
  }
  return hash.finish();
}

}  // namespace hearth::eval
