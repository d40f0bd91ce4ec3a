#pragma once
// The files that hold keys, each wrapped by another: docs/formats/vault.md, byte by byte.
//
//   vault.key          the vault's key, wrapped by the key that Argon2id makes of the passphrase
//   keys/NAME.key      the key of one collection (a session, the chunks, an eval), wrapped by the vault's
//
// Encoding and parsing only; pure. Which files there are is vault.h's.

#include <array>
#include <string>

#include "hearth/vault/cipher.h"

namespace hearth::vault {

using VaultId = std::array<std::byte, 16>;

inline constexpr std::size_t vault_key_file_bytes = 128;
inline constexpr std::size_t collection_name_bytes_max = 200;
inline constexpr std::size_t collection_key_file_bytes_max = 512;

struct VaultKeyFile {
  VaultId id{};
  PassphraseCost cost;
  std::array<std::byte, salt_bytes> salt{};
  Bytes wrapped;  // sealed vault key, 72 bytes
};

// corrupt (not such a file), unsupported (another version), invalid_argument (a cost beyond the limits).
Result<VaultKeyFile> parse_vault_key_file(ByteSpan bytes);
// New salt, wrapped anew.
Result<Bytes> make_vault_key_file(const VaultId& id, const Secret& vault_key, const Secret& passphrase,
                                  const PassphraseCost& cost);
// permission when the passphrase is not the one.
Result<Secret> open_vault_key_file(const VaultKeyFile& file, const Secret& passphrase);

struct CollectionKey {
  std::string name;
  Secret key;
};
Result<Bytes> make_collection_key_file(const VaultId& id, const Secret& wrapping_key, std::string_view name,
                                       const Secret& key);
Result<CollectionKey> open_collection_key_file(const VaultId& id, const Secret& wrapping_key, ByteSpan bytes);

}  // namespace hearth::vault
