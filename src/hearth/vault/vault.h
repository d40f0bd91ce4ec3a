#pragma once
// A vault: a folder whose content is nothing without a passphrase.
//
//   vault.key, vault.key.copy   the vault's key, wrapped by the passphrase's (key_file.h), twice
//   keys/NAME.key               one key a collection, wrapped by the vault's
//   data/NAME/...               sealed files (sealed_log.h) of that collection
//
// NAME is a keyed hash: names say nothing while the vault is locked. To forget a collection is to
// remove its key: its files, and its KV wherever it lies, are noise from then on. The passphrase
// changes without touching anything but vault.key.
//
// Whoever has the object has the vault open; its destructor wipes the keys. Thread-safe.

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hearth/base/file.h"
#include "hearth/base/guarded.h"
#include "hearth/vault/key_file.h"

namespace hearth::vault {

inline constexpr std::size_t collections_max = 100'000;
inline constexpr std::size_t passphrase_bytes_min = 8;

// Who gives keys: an open vault, or the process that keeps one open (keeper_client.h).
class KeySource {
 public:
  virtual ~KeySource() = default;
  // The collection's key, made when it is first asked for. unavailable while the vault is locked.
  virtual Result<SharedSecret> key(std::string_view collection) = 0;
  // A folder for the collection's files; it exists. unavailable while the vault is locked.
  virtual Result<std::filesystem::path> folder(std::string_view collection) = 0;
  virtual Result<> forget(std::string_view collection) = 0;
  // Names of those that could be opened.
  virtual Result<std::vector<std::string>> collections() = 0;
};

class Vault final : public KeySource {
 public:
  static bool exists(const std::filesystem::path& directory);
  // invalid_argument: there is one, or the passphrase is shorter than passphrase_bytes_min.
  static Result<> create(const std::filesystem::path& directory, const Secret& passphrase, const PassphraseCost& cost = {});
  // not_found, permission (the passphrase), corrupt (both copies of vault.key).
  static Result<std::unique_ptr<Vault>> unlock(std::filesystem::path directory, const Secret& passphrase);
  static Result<> change_passphrase(const std::filesystem::path& directory, const Secret& old_passphrase,
                                    const Secret& new_passphrase, const PassphraseCost& cost = {});

  Result<SharedSecret> key(std::string_view collection) override;
  Result<std::filesystem::path> folder(std::string_view collection) override;
  Result<> forget(std::string_view collection) override;
  Result<std::vector<std::string>> collections() override;
  // Key files that do not open, with why; the rest is usable.
  std::vector<std::string> damaged_keys() const;
  const std::filesystem::path& directory() const { return directory_; }

 private:
  Vault(std::filesystem::path directory, VaultId id) : directory_(std::move(directory)), id_(id) {}
  Result<> read_keys();
  std::string file_name(std::string_view collection) const;
  std::filesystem::path key_path(std::string_view collection) const;
  Result<CollectionKey> read_key(const std::filesystem::path& path) const;

  struct Keys {
    // Weak: a locked page of memory a key is too much for all that were ever made.
    std::map<std::string, std::weak_ptr<const Secret>, std::less<>> by_name;
    std::vector<std::string> damaged;
  };
  std::filesystem::path directory_;
  VaultId id_;
  Secret wrapping_key_, naming_key_;
  Guarded<Keys> keys_;
};

// Without a passphrase: what lies on the disk is moved as it is.
struct CopyReport {
  std::uint64_t files = 0, bytes = 0;
  std::vector<std::string> damaged;  // names in the vault, with why; they were left out
};
// Into a new or empty folder. The copy opens with the passphrase of the moment it was made.
Result<CopyReport> backup_vault(const std::filesystem::path& directory, const std::filesystem::path& to);
// Refuses to overwrite a vault. What the backup's list does not vouch for is named and left out.
Result<CopyReport> restore_vault(const std::filesystem::path& backup, const std::filesystem::path& directory);

struct WipeReport {
  std::uint64_t keys = 0, files = 0;
};
// Overwrites and removes the keys first, then everything else.
Result<WipeReport> wipe_vault(const std::filesystem::path& directory);

}  // namespace hearth::vault
