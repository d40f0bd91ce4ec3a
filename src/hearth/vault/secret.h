#pragma once
// Bytes that must not reach a disk: keys and passphrases. They lie in memory of their own that is
// locked (never swapped), fenced by guard pages, left out of core dumps, and wiped when it goes.
// Not copyable; thread-safe for reading.

#include <memory>
#include <span>
#include <string_view>

#include "hearth/base/bytes.h"
#include "hearth/base/result.h"

namespace hearth::vault {

inline constexpr std::size_t key_bytes = 32;
inline constexpr std::size_t passphrase_bytes_max = 1024;

class Secret {
 public:
  Secret() = default;
  // Zeros. resource_exhausted when the system does not lock that much: then there is no secret,
  // rather than one that could be swapped out.
  static Result<Secret> create(std::size_t bytes);
  static Result<Secret> random(std::size_t bytes);
  static Result<Secret> copy_of(ByteSpan bytes);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(); }

  std::span<std::byte> span() { return {data_, size_}; }
  ByteSpan span() const { return {data_, size_}; }
  bool is_empty() const { return size_ == 0; }
  // Keeps the first `bytes`; the rest is zeroed.
  void shrink(std::size_t bytes);
  void wipe();

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};
using SharedSecret = std::shared_ptr<const Secret>;

// Compares in a time that does not depend on where they differ.
bool same_bytes(ByteSpan a, ByteSpan b);
void fill_with_random(std::span<std::byte> out);
void wipe_bytes(std::span<std::byte> bytes);

// Whether this machine could swap to something that is not memory: the names of such swap areas.
std::vector<std::string> disk_swap_areas();

}  // namespace hearth::vault
