#include "hearth/vault/key_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/check.h"

namespace hearth::vault {
namespace {

constexpr std::string_view vault_magic = "HRTHVKEY";
constexpr std::string_view collection_magic = "HRTHCKEY";
constexpr std::uint16_t version = 1;
constexpr std::size_t wrapped_bytes = key_bytes + cipher_overhead_bytes;
constexpr std::size_t wrapped_offset = vault_key_file_bytes - wrapped_bytes;
constexpr std::size_t collection_head_bytes = 32;

Result<> check_start(ByteReader& reader, std::string_view magic) {
  if (as_text(TRY(reader.read_bytes(magic.size(), "magic"))) != magic) {
    return fail(Code::corrupt, fmt::format("not a {} file", magic));
  }
  const auto found = TRY(reader.read<std::uint16_t>("version"));
  if (found != version) return fail(Code::unsupported, fmt::format("version {}; this program knows {}", found, version));
  if (TRY(reader.read<std::uint16_t>("reserved")) != 0) return fail(Code::unsupported, "the reserved bytes are not zero");
  return {};
}

// Everything before the wrapped key: vouched for by it.
Bytes vault_head(const VaultKeyFile& file) {
  ByteWriter out;
  out.write_bytes(as_byte_span(vault_magic));
  out.write<std::uint16_t>(version);
  out.write<std::uint16_t>(0);
  out.write<std::uint32_t>(file.cost.passes);
  out.write<std::uint64_t>(file.cost.memory_bytes);
  out.write_bytes(file.id);
  out.write_bytes(file.salt);
  CHECK(out.bytes().size() == wrapped_offset);
  return out.take();
}

Bytes collection_head(const VaultId& id) {
  ByteWriter out;
  out.write_bytes(as_byte_span(collection_magic));
  out.write<std::uint16_t>(version);
  out.write<std::uint16_t>(0);
  out.write<std::uint32_t>(0);
  out.write_bytes(id);
  CHECK(out.bytes().size() == collection_head_bytes);
  return out.take();
}

}  // namespace

Result<VaultKeyFile> parse_vault_key_file(ByteSpan bytes) {
  if (bytes.size() != vault_key_file_bytes) {
    return fail(Code::corrupt, fmt::format("a vault's key file has {} bytes, this one {}", vault_key_file_bytes, bytes.size()));
  }
  ByteReader reader(bytes);
  TRY(check_start(reader, vault_magic));
  VaultKeyFile out;
  out.cost.passes = TRY(reader.read<std::uint32_t>("passes"));
  out.cost.memory_bytes = TRY(reader.read<std::uint64_t>("memory"));
  std::ranges::copy(TRY(reader.read_bytes(out.id.size(), "id")), out.id.begin());
  std::ranges::copy(TRY(reader.read_bytes(out.salt.size(), "salt")), out.salt.begin());
  const ByteSpan wrapped = TRY(reader.read_bytes(wrapped_bytes, "wrapped key"));
  out.wrapped.assign(wrapped.begin(), wrapped.end());
  if (out.cost.passes < 1 || out.cost.passes > passphrase_passes_max ||
      out.cost.memory_bytes < passphrase_memory_bytes_min || out.cost.memory_bytes > passphrase_memory_bytes_max) {
    return fail(Code::corrupt, fmt::format("Argon2id with {} passes over {} bytes is beyond the limits",
                                           out.cost.passes, out.cost.memory_bytes));
  }
  return out;
}

Result<Bytes> make_vault_key_file(const VaultId& id, const Secret& vault_key, const Secret& passphrase,
                                  const PassphraseCost& cost) {
  VaultKeyFile file{.id = id, .cost = cost};
  fill_with_random(file.salt);
  const Secret wrapping_key = TRY(key_from_passphrase(passphrase, file.salt, cost));
  Bytes out = vault_head(file);
  const Bytes wrapped = encrypt(wrapping_key, vault_key.span(), out);
  out.insert(out.end(), wrapped.begin(), wrapped.end());
  return out;
}

Result<Secret> open_vault_key_file(const VaultKeyFile& file, const Secret& passphrase) {
  const Secret wrapping_key = TRY(key_from_passphrase(passphrase, file.salt, file.cost));
  auto key = decrypt_secret(wrapping_key, file.wrapped, vault_head(file));
  if (!key && key.error().code == Code::corrupt) return fail(Code::permission, "the passphrase is not the vault's");
  return key;
}

Result<Bytes> make_collection_key_file(const VaultId& id, const Secret& wrapping_key, std::string_view name,
                                       const Secret& key) {
  if (name.empty() || name.size() > collection_name_bytes_max) {
    return fail(Code::invalid_argument, fmt::format("a collection's name has 1 to {} bytes, this one {}",
                                                    collection_name_bytes_max, name.size()));
  }
  Secret text = TRY(Secret::create(key_bytes + name.size()));
  std::ranges::copy(key.span(), text.span().begin());
  std::ranges::copy(as_byte_span(name), text.span().begin() + key_bytes);
  Bytes out = collection_head(id);
  const Bytes wrapped = encrypt(wrapping_key, text.span(), out);
  out.insert(out.end(), wrapped.begin(), wrapped.end());
  return out;
}

Result<CollectionKey> open_collection_key_file(const VaultId& id, const Secret& wrapping_key, ByteSpan bytes) {
  ByteReader reader(bytes);
  TRY(check_start(reader, collection_magic));
  const Bytes head = collection_head(id);
  if (bytes.size() <= head.size() || !std::ranges::equal(bytes.first(head.size()), head)) {
    return fail(Code::corrupt, "the key is of another vault");
  }
  const Secret text = TRY(decrypt_secret(wrapping_key, bytes.subspan(head.size()), head));
  if (text.span().size() <= key_bytes) return fail(Code::corrupt, "the key has no name");
  CollectionKey out;
  out.key = TRY(Secret::copy_of(text.span().first(key_bytes)));
  out.name = as_text(text.span().subspan(key_bytes));
  return out;
}

}  // namespace hearth::vault
