#pragma once
// Two kinds of digest. BLAKE2b-256 names things (chunk keys, layouts, texts): nobody can make
// another input with the same name. XXH3-128 finds damage at memory speed: it protects against
// rot and truncation, not against an opponent. Pure; thread-safe.

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "hearth/base/bytes.h"

namespace hearth {

struct Digest256 {
  std::array<std::byte, 32> bytes{};
  auto operator<=>(const Digest256&) const = default;
  std::string hex() const { return to_hex(bytes); }
  // The first characters, for people.
  std::string short_hex() const { return hex().substr(0, 12); }
  static Result<Digest256> parse(std::string_view hex);
};

struct Checksum128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  auto operator<=>(const Checksum128&) const = default;
};

class Blake2b {
 public:
  Blake2b();
  Blake2b& update(ByteSpan bytes);
  Blake2b& update(std::string_view text) { return update(as_byte_span(text)); }
  // Length first, so that ("ab","c") and ("a","bc") differ.
  Blake2b& update_sized(std::string_view text);
  template <class T>
    requires std::is_arithmetic_v<T>
  Blake2b& update_number(T value) {
    return update(std::as_bytes(std::span(&value, 1)));
  }
  Digest256 finish();

 private:
  alignas(64) std::array<std::byte, 384> state_{};  // crypto_generichash_state
};

// xxh3_128 of bytes that come in pieces.
class Xxh3 {
 public:
  Xxh3();
  Xxh3& update(ByteSpan bytes);
  Checksum128 finish() const;

 private:
  alignas(64) std::array<std::byte, 640> state_;  // XXH3_state_t
};

Digest256 blake2b(ByteSpan bytes);
Checksum128 xxh3_128(ByteSpan bytes);

}  // namespace hearth

template <>
struct std::hash<hearth::Digest256> {
  std::size_t operator()(const hearth::Digest256& d) const noexcept {
    std::size_t out;
    std::memcpy(&out, d.bytes.data(), sizeof(out));
    return out;
  }
};
