#pragma once
// What the verbs of hearth memory share, and those that are about memory of the vault.

#include <filesystem>
#include <string>

#include "hearth/base/json.h"

namespace hearth::cli {

struct MemoryFlags {
  std::filesystem::path folder;  // or vault:NAME
  std::string path, text, session;
  std::filesystem::path from, output;
  std::string confirm;
  std::uint32_t version = 0;
  bool json = false;
};

void print_json(const Json& json);
// The name of the memory that is meant; not_found where there is none.
Result<std::string> folder_of(const MemoryFlags& flags);
// Sealed text is written in the clear only by words that say so.
Result<> check_in_the_clear(const MemoryFlags& flags, bool is_sealed, const std::string& what);

Result<> list_memory(const MemoryFlags& flags);
Result<> import_memory(const MemoryFlags& flags);
Result<> memory_history(const MemoryFlags& flags);
Result<> forget_memory(const MemoryFlags& flags);

}  // namespace hearth::cli
