#pragma once
// The user's texts and transcripts as files: which there are, of what class, and their content.
// Reads only; follows no symbolic link; hidden files and folders are passed over.

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/base/json.h"

namespace hearth::eval {

inline constexpr std::uint64_t text_file_bytes_max = 64u << 20;
inline constexpr std::uint64_t text_files_bytes_max = 256u << 20;  // all together
inline constexpr std::string_view class_of_loose_texts = "text";

struct TextFile {
  std::string name;  // below the folder that was given; of a transcript in .jsonl with its line
  std::string text_class;      // the first folder below the one given; else class_of_loose_texts
  std::string text;            // UTF-8
  bool is_transcript = false;  // one conversation as JSON: a .json file, or a line of a .jsonl file
};

// In the order of the paths, those of a folder by name. invalid_argument, naming the file, for what is
// not UTF-8, too large, or no regular file; also when there is no text at all.
Result<std::vector<TextFile>> read_text_files(std::span<const std::filesystem::path> paths);

// Changes when any text, class or name does.
Digest256 digest_of(std::span<const TextFile> files);

}  // namespace hearth::eval
