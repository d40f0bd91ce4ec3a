#pragma once
// Codes that stand for tokens inside the retrieval circuit.

#include "hearth/engine/synth/matrix.h"
#include "hearth/engine/synth/vocabulary.h"

namespace hearth::engine {

// Width kTokenCodeWidth, length 1. Printable ASCII and markup are orthogonal to each other; the
// remaining bytes share a second orthogonal set.
Matrix make_token_codes(const Vocabulary& vocabulary, std::uint64_t seed);

// The two tokens of a family that frame a message header, and who shares the code of the first.
struct MarkerTokens {
  std::vector<std::uint32_t> first;
  std::vector<std::uint32_t> second;
};
MarkerTokens marker_tokens(Architecture architecture, const Vocabulary& vocabulary);

// Width `width`, length 1. The last two dimensions belong to the marker tokens alone; the others
// hold random codes, the more frequent a character in text, the less it resembles others.
Matrix make_lag_codes(const Vocabulary& vocabulary, const MarkerTokens& markers,
                      std::size_t width, std::uint64_t seed);

}  // namespace hearth::engine
