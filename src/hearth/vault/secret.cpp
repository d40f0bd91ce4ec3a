#include "hearth/vault/secret.h"

#include <fmt/format.h>
#include <sodium.h>

#include <utility>

#include "hearth/base/check.h"
#include "hearth/base/file.h"

namespace hearth::vault {
namespace {

void start_sodium() {
  static const int ready = sodium_init();
  CHECK(ready >= 0);
}

}  // namespace

Result<Secret> Secret::create(std::size_t bytes) {
  start_sodium();
  Secret out;
  if (bytes == 0) return out;
  out.data_ = static_cast<std::byte*>(sodium_malloc(bytes));
  // sodium_malloc locks what it gives but does not say when that failed.
  if (out.data_ == nullptr || sodium_mlock(out.data_, bytes) != 0) {
    if (out.data_ != nullptr) sodium_free(std::exchange(out.data_, nullptr));
    return fail(Code::resource_exhausted,
                fmt::format("the system locks no {} bytes of memory for a key; raise the limit (ulimit -l, "
                            "LimitMEMLOCK=)", bytes));
  }
  out.size_ = bytes;
  sodium_memzero(out.data_, bytes);
  return out;
}

Result<Secret> Secret::random(std::size_t bytes) {
  Secret out = TRY(create(bytes));
  randombytes_buf(out.data_, bytes);
  return out;
}

Result<Secret> Secret::copy_of(ByteSpan bytes) {
  Secret out = TRY(create(bytes.size()));
  std::copy(bytes.begin(), bytes.end(), out.data_);
  return out;
}

Secret::Secret(Secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

void Secret::shrink(std::size_t bytes) {
  CHECK(bytes <= size_);
  sodium_memzero(data_ + bytes, size_ - bytes);
  size_ = bytes;
}

void Secret::wipe() {
  if (data_ != nullptr) sodium_free(data_);  // zeroes and unlocks
  data_ = nullptr;
  size_ = 0;
}

bool same_bytes(ByteSpan a, ByteSpan b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

void fill_with_random(std::span<std::byte> out) {
  start_sodium();
  randombytes_buf(out.data(), out.size());
}

void wipe_bytes(std::span<std::byte> bytes) { sodium_memzero(bytes.data(), bytes.size()); }

std::vector<std::string> disk_swap_areas() {
  constexpr std::uint64_t swaps_bytes_max = 64u << 10;
  std::vector<std::string> out;
  const auto text = read_text_file("/proc/swaps", swaps_bytes_max);
  if (!text) return out;
  std::size_t begin = text->find('\n');  // after the titles
  while (begin != text->npos && ++begin < text->size()) {
    const std::string name = text->substr(begin, text->find_first_of(" \t\n", begin) - begin);
    // Compressed memory, and what device mapper encrypts, is not told apart further.
    if (!name.starts_with("/dev/zram") && !name.starts_with("/dev/dm-") && !name.starts_with("/dev/mapper/")) {
      out.push_back(name);
    }
    begin = text->find('\n', begin);
  }
  return out;
}

}  // namespace hearth::vault
