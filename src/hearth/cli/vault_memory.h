#pragma once
// Memory in the vault, for sealed sessions: `vault:NAME` is one sealed file under a key of its own, in
// which every version of every memory file is a record. So nothing of it is ever on the disk in the
// clear, and what a file was before is not lost. docs/memory.md, docs/formats/vault_memory.md.
//
// Several programs may use one; who folds has it alone meanwhile.

#include <functional>
#include <memory>

#include "hearth/session/memory_place.h"
#include "hearth/vault/vault.h"

namespace hearth::cli {

inline constexpr std::string_view vault_memory_prefix = "vault:";
// Of the file with all versions; beyond, memory is imported into a new one.
inline constexpr std::uint64_t vault_memory_bytes_max = 256ull << 20;

bool is_vault_memory(std::string_view name);

// What became of one file.
struct MemoryVersion {
  std::string stamp;                // when, and by which session
  std::string path;
  std::optional<std::string> text;  // nothing: removed
  bool set_aside = false;           // somebody else had changed the file meanwhile: this is not what it became
};

class VaultMemory final : public session::MemoryPlace {
 public:
  // `name` has the prefix. invalid_argument for other names; not_found when there is none and it is not to
  // be made; unavailable while the vault is locked.
  static Result<std::unique_ptr<VaultMemory>> open(std::shared_ptr<vault::KeySource> keys, std::string name, bool make);
  // All there are, with the prefix.
  static Result<std::vector<std::string>> list(vault::KeySource& keys);
  // Its key first. not_found when there is none.
  static Result<> forget(vault::KeySource& keys, const std::string& name);

  Result<session::MemoryFiles> read() override;
  Result<session::FoldReport> fold(const session::MemoryFiles& known, const session::MemoryFiles& wanted,
                                   std::string_view stamp) override;
  bool is_sealed() const override { return true; }
  // Oldest first. What cannot be read is named in `damaged`, or an error where that is nullptr.
  Result<std::vector<MemoryVersion>> history(std::vector<std::string>* damaged = nullptr);

 private:
  VaultMemory(std::string name, vault::SharedSecret key, std::filesystem::path file)
      : name_(std::move(name)), key_(std::move(key)), file_(std::move(file)) {}
  Result<> write(const std::vector<MemoryVersion>& versions);

  const std::string name_;
  const vault::SharedSecret key_;
  const std::filesystem::path file_;
};

}  // namespace hearth::cli
