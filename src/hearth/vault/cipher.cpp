#include "hearth/vault/cipher.h"

#include <fmt/format.h>
#include <sodium.h>

#include "hearth/base/check.h"

namespace hearth::vault {
namespace {

static_assert(nonce_bytes == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
static_assert(tag_bytes == crypto_aead_xchacha20poly1305_ietf_ABYTES);
static_assert(key_bytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
static_assert(salt_bytes == crypto_pwhash_argon2id_SALTBYTES);

const unsigned char* raw(ByteSpan bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* raw(std::span<std::byte> bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

void hash_into(const Secret& key, std::string_view purpose, ByteSpan name, std::span<std::byte> out) {
  crypto_generichash_state state;
  CHECK(key.span().size() == key_bytes);
  CHECK(crypto_generichash_init(&state, raw(key.span()), key_bytes, out.size()) == 0);
  const std::uint64_t purpose_bytes = purpose.size();
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(&purpose_bytes), sizeof(purpose_bytes));
  crypto_generichash_update(&state, raw(as_byte_span(purpose)), purpose.size());
  crypto_generichash_update(&state, raw(name), name.size());
  crypto_generichash_final(&state, raw(out), out.size());
  sodium_memzero(&state, sizeof(state));
}

}  // namespace

void encrypt_into(const Secret& key, ByteSpan plain, ByteSpan associated, std::span<std::byte> out) {
  CHECK(key.span().size() == key_bytes);
  CHECK(out.size() == plain.size() + cipher_overhead_bytes);
  fill_with_random(out.first(nonce_bytes));
  CHECK(crypto_aead_xchacha20poly1305_ietf_encrypt(raw(out.subspan(nonce_bytes)), nullptr, raw(plain), plain.size(),
                                                   raw(associated), associated.size(), nullptr, raw(out),
                                                   raw(key.span())) == 0);
}

Bytes encrypt(const Secret& key, ByteSpan plain, ByteSpan associated) {
  Bytes out(plain.size() + cipher_overhead_bytes);
  encrypt_into(key, plain, associated, out);
  return out;
}

Result<> decrypt_into(const Secret& key, ByteSpan sealed, ByteSpan associated, std::span<std::byte> out) {
  CHECK(key.span().size() == key_bytes);
  if (sealed.size() < cipher_overhead_bytes) {
    return fail(Code::corrupt, fmt::format("{} bytes are too few to be sealed bytes", sealed.size()));
  }
  CHECK(out.size() == sealed.size() - cipher_overhead_bytes);
  const ByteSpan body = sealed.subspan(nonce_bytes);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(raw(out), nullptr, nullptr, raw(body), body.size(), raw(associated),
                                                 associated.size(), raw(sealed), raw(key.span())) != 0) {
    sodium_memzero(out.data(), out.size());
    return fail(Code::corrupt, "the bytes are not those that were sealed with this key");
  }
  return {};
}

Result<Bytes> decrypt(const Secret& key, ByteSpan sealed, ByteSpan associated) {
  Bytes out(sealed.size() < cipher_overhead_bytes ? 0 : sealed.size() - cipher_overhead_bytes);
  TRY(decrypt_into(key, sealed, associated, out));
  return out;
}

Result<Secret> decrypt_secret(const Secret& key, ByteSpan sealed, ByteSpan associated) {
  if (sealed.size() < cipher_overhead_bytes) return fail(Code::corrupt, "too few bytes for a sealed key");
  Secret out = TRY(Secret::create(sealed.size() - cipher_overhead_bytes));
  TRY(decrypt_into(key, sealed, associated, out.span()));
  return out;
}

Result<Secret> key_from_passphrase(const Secret& passphrase, std::span<const std::byte, salt_bytes> salt,
                                   const PassphraseCost& cost) {
  Secret out = TRY(Secret::create(key_bytes));
  const ByteSpan text = passphrase.span();
  if (crypto_pwhash_argon2id(raw(out.span()), key_bytes, reinterpret_cast<const char*>(text.data()), text.size(),
                             raw(ByteSpan(salt)), cost.passes, static_cast<std::size_t>(cost.memory_bytes),
                             crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0) {
    return fail(Code::resource_exhausted,
                fmt::format("Argon2id needs {} MiB of memory and did not get them", cost.memory_bytes >> 20));
  }
  return out;
}

Result<Secret> derive_key(const Secret& key, std::string_view purpose, ByteSpan name) {
  Secret out = TRY(Secret::create(key_bytes));
  hash_into(key, purpose, name, out.span());
  return out;
}

std::array<std::byte, 32> keyed_name(const Secret& key, std::string_view purpose, ByteSpan name) {
  std::array<std::byte, 32> out{};
  hash_into(key, purpose, name, out);
  return out;
}

}  // namespace hearth::vault
