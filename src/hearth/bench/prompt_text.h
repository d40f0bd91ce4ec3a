#pragma once
// Prompts of any length: sentences of plain words, so that all experts of a mixture have work, and
// every seed another text, so that nothing of it is cached. Pure.

#include <cstdint>
#include <string>

namespace hearth::bench {

// Exactly `bytes` bytes of ASCII. The same seed gives the same text, and a longer one begins with a
// shorter one.
std::string prompt_text(std::uint64_t seed, std::size_t bytes);

}  // namespace hearth::bench
