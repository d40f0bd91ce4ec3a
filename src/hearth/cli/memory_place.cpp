#include "hearth/cli/memory_place.h"

#include <fmt/format.h>

#include "hearth/base/digest.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/vault_texts.h"

namespace hearth::cli {

Result<std::string> memory_name(const std::filesystem::path& chosen) {
  if (is_vault_memory(chosen.string())) return chosen.string();
  std::error_code error;
  std::filesystem::path folder = chosen;
  if (folder.empty()) {
    folder = TRY(config_directory());
    folder /= "memory";
    if (!std::filesystem::is_directory(folder, error)) return std::string();
  }
  const auto whole = std::filesystem::canonical(folder, error);
  if (error) return fail(Code::not_found, fmt::format("no memory folder at {}; make one with mkdir, and put Markdown files there", folder.string()));
  return whole.string();
}

Result<std::unique_ptr<VaultMemory>> open_vault_memory(const std::string& name, bool make) {
  std::shared_ptr<vault::KeySource> keys = TRY(connect_vault());
  return VaultMemory::open(std::move(keys), name, make);
}

Result<std::unique_ptr<session::MemoryPlace>> open_memory(const std::string& name, bool make) {
  if (!is_vault_memory(name)) return session::make_plain_memory(name);
  return TRY(open_vault_memory(name, make));
}

Result<> check_memory_label(const std::string& name, const std::string& label) {
  if (!is_vault_memory(name) || label == "sealed") return {};
  return fail(Code::permission, fmt::format("{} is sealed, and a session with label {} is not: begin one with --label sealed", name, label));
}

std::string memory_pin_owner(const session::SessionFacts& facts) {
  const std::string key = facts.memory_folder + (facts.adapter.empty() ? "" : "\n" + facts.adapter);
  return "memory-" + blake2b(as_byte_span(key)).short_hex();
}

}  // namespace hearth::cli
