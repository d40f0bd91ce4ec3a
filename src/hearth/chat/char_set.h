#pragma once
// Sets of characters, as ranges of code points. Pure values.

#include <vector>

namespace hearth::chat {

// A code point range, both ends included.
struct CharRange {
  char32_t first = 0;
  char32_t last = 0;
  bool operator==(const CharRange&) const = default;
};
using CharSet = std::vector<CharRange>;  // sorted, disjoint, not adjacent

inline constexpr char32_t code_point_max = 0x10FFFF;

// Sorts and joins.
CharSet normalise(CharSet set);
// All other characters; surrogates are none.
CharSet complement(const CharSet& set);
CharSet intersect(const CharSet& a, const CharSet& b);
CharSet without(const CharSet& set, char32_t c);
bool contains(const CharSet& set, char32_t c);

}  // namespace hearth::chat
