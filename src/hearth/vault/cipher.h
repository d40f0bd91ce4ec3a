#pragma once
// XChaCha20-Poly1305, Argon2id and key derivation, as libsodium has them; sodium.h does not leave
// cipher.cpp and secret.cpp. Pure but for the random nonces; thread-safe.
//
// Sealed bytes are: nonce (24, random) | ciphertext (as long as the text) | tag (16).

#include <array>
#include <string_view>

#include "hearth/vault/secret.h"

namespace hearth::vault {

inline constexpr std::size_t nonce_bytes = 24;
inline constexpr std::size_t tag_bytes = 16;
inline constexpr std::size_t cipher_overhead_bytes = nonce_bytes + tag_bytes;
inline constexpr std::size_t salt_bytes = 16;

// `out` has plain.size() + cipher_overhead_bytes. `associated` is vouched for, not hidden.
void encrypt_into(const Secret& key, ByteSpan plain, ByteSpan associated, std::span<std::byte> out);
Bytes encrypt(const Secret& key, ByteSpan plain, ByteSpan associated);

// `out` has sealed.size() - cipher_overhead_bytes. corrupt when key, bytes or associated differ from
// what was sealed; then `out` holds zeros.
Result<> decrypt_into(const Secret& key, ByteSpan sealed, ByteSpan associated, std::span<std::byte> out);
Result<Bytes> decrypt(const Secret& key, ByteSpan sealed, ByteSpan associated);
Result<Secret> decrypt_secret(const Secret& key, ByteSpan sealed, ByteSpan associated);

// How long guessing takes: Argon2id's passes and memory.
struct PassphraseCost {
  std::uint32_t passes = 3;
  std::uint64_t memory_bytes = 256ull << 20;
};
inline constexpr std::uint32_t passphrase_passes_max = 64;
inline constexpr std::uint64_t passphrase_memory_bytes_max = 4ull << 30;
inline constexpr std::uint64_t passphrase_memory_bytes_min = 8u << 10;

Result<Secret> key_from_passphrase(const Secret& passphrase, std::span<const std::byte, salt_bytes> salt,
                                   const PassphraseCost& cost);

// Keys for one purpose each, from one key: keyed BLAKE2b over the purpose and the name of the thing.
Result<Secret> derive_key(const Secret& key, std::string_view purpose, ByteSpan name = {});
// A name that says nothing to whoever has not the key.
std::array<std::byte, 32> keyed_name(const Secret& key, std::string_view purpose, ByteSpan name);

}  // namespace hearth::vault
