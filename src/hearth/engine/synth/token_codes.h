#pragma once
// Codes that stand for tokens inside the retrieval circuit.

#include "hearth/engine/synth/matrix.h"
#include "hearth/engine/synth/vocabulary.h"

namespace hearth::engine {

// Width kTokenCodeWidth, length 1. Printable ASCII and markup are orthogonal to each other; the
// remaining bytes share a second orthogonal set.
Matrix make_token_codes(const Vocabulary& vocabulary, std::uint64_t seed);

// The tokens of a family that frame a message header: each gets a dimension of its own.
std::vector<std::uint32_t> marker_tokens(Architecture architecture, const Vocabulary& vocabulary);

// Width `width`, length 1. The last dimensions belong to the marker tokens alone; the others
// hold random codes, the more frequent a character in text, the less it resembles others.
Matrix make_lag_codes(const Vocabulary& vocabulary, const std::vector<std::uint32_t>& markers,
                      std::size_t width, std::uint64_t seed);

}  // namespace hearth::engine
