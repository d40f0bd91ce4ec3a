#include "hearth/base/digest.h"

#include <sodium.h>
#define XXH_STATIC_LINKING_ONLY  // the size of its streaming state
#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h>  // picks AVX2 or AVX-512 at run time; plain xxhash.h is SSE2
#else
#include <xxhash.h>
#endif

#include <algorithm>

#include "hearth/base/check.h"

namespace hearth {
namespace {

crypto_generichash_state* state_of(std::array<std::byte, 384>& storage) {
  static_assert(sizeof(crypto_generichash_state) <= 384);
  static_assert(alignof(crypto_generichash_state) <= 64);
  return reinterpret_cast<crypto_generichash_state*>(storage.data());
}

static_assert(sizeof(XXH3_state_t) <= 640 && alignof(XXH3_state_t) <= 64);

Checksum128 checksum_of(const XXH128_hash_t& hash) { return {hash.low64, hash.high64}; }

}  // namespace

Result<Digest256> Digest256::parse(std::string_view hex) {
  Digest256 out;
  const Bytes bytes = TRY(from_hex(hex));
  if (bytes.size() != out.bytes.size()) {
    return fail(Code::invalid_argument, "a digest is 64 hexadecimal characters, got " +
                                            std::to_string(hex.size()));
  }
  std::copy(bytes.begin(), bytes.end(), out.bytes.begin());
  return out;
}

Blake2b::Blake2b() {
  static const int ready = sodium_init();  // chooses the fast implementation for this CPU
  CHECK(ready >= 0);
  CHECK(crypto_generichash_init(state_of(state_), nullptr, 0, sizeof(Digest256::bytes)) == 0);
}

Blake2b& Blake2b::update(ByteSpan bytes) {
  crypto_generichash_update(state_of(state_), reinterpret_cast<const unsigned char*>(bytes.data()),
                            bytes.size());
  return *this;
}

Blake2b& Blake2b::update_sized(std::string_view text) {
  return update_number<std::uint64_t>(text.size()).update(text);
}

Digest256 Blake2b::finish() {
  Digest256 out;
  crypto_generichash_final(state_of(state_), reinterpret_cast<unsigned char*>(out.bytes.data()),
                           out.bytes.size());
  return out;
}

Digest256 blake2b(ByteSpan bytes) { return Blake2b().update(bytes).finish(); }

Checksum128 xxh3_128(ByteSpan bytes) {
  return checksum_of(XXH3_128bits(bytes.data(), bytes.size()));
}

Xxh3::Xxh3() {
  CHECK(XXH3_128bits_reset(reinterpret_cast<XXH3_state_t*>(state_.data())) == XXH_OK);
}

Xxh3& Xxh3::update(ByteSpan bytes) {
  CHECK(XXH3_128bits_update(reinterpret_cast<XXH3_state_t*>(state_.data()), bytes.data(),
                            bytes.size()) == XXH_OK);
  return *this;
}

Checksum128 Xxh3::finish() const {
  return checksum_of(XXH3_128bits_digest(reinterpret_cast<const XXH3_state_t*>(state_.data())));
}

}  // namespace hearth
