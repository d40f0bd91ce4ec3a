#pragma once
// Files to a suite. Pure but for read_suite_files: the same files give the same suite, in the order of
// the ids. Every mistake is collected, each as "file:line: what, expected, how to mend it".

#include <filesystem>
#include <string>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/eval/suite/item.h"

namespace hearth::eval {

inline constexpr std::size_t suite_files_max = 20'000;
inline constexpr std::uint64_t suite_file_bytes_max = 4u << 20;
inline constexpr std::uint64_t suite_bytes_max = 256u << 20;

// A file of a suite's folder; `path` is relative to it, with slashes.
struct SuiteFile {
  std::string path;
  std::string text;
};

struct Suite {
  std::string name;
  std::vector<Item> items;  // sorted by id
  Digest256 digest;         // of all item digests: the suite's version

  const Item* find(std::string_view id) const;
};

struct LoadedSuite {
  Suite suite;                        // items without a mistake
  std::vector<std::string> problems;  // empty: all is well
};

// The suite that ships, built into the program.
std::vector<SuiteFile> shipped_suite_files();
// All files below `folder`, sorted. Links are not followed; hidden files and folders are left out.
Result<std::vector<SuiteFile>> read_suite_files(const std::filesystem::path& folder);
// `label` stands before the paths in messages: the folder as the user gave it.
LoadedSuite load_suite(const std::vector<SuiteFile>& files, std::string_view label);

// The shipped suite, or that of a folder: invalid_argument with all problems, one a line.
Result<Suite> open_suite(const std::filesystem::path& folder_or_empty);

}  // namespace hearth::eval
