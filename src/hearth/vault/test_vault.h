#pragma once
// Secrets and costs for tests.
#include "hearth/vault/vault.h"

namespace hearth::vault {

inline Secret secret_of(std::string_view text) { return Secret::copy_of(as_byte_span(text)).value(); }
inline constexpr PassphraseCost quick_cost{.passes = 1, .memory_bytes = passphrase_memory_bytes_min};

}  // namespace hearth::vault
