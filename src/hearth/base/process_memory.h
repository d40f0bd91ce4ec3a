#pragma once
// How much physical memory this process holds now. 0 where the system does not tell.

#include <cstdint>

namespace hearth {

std::uint64_t resident_bytes();
// Of another process of this user.
std::uint64_t resident_bytes_of(int pid);

}  // namespace hearth
