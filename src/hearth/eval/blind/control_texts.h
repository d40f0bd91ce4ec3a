#pragma once
// Texts with a known relation to an answer, for the controls: ruined, padded, and with orders to
// the judge inside. Pure; the same text and seed give the same result.

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::eval {

inline constexpr double damage_share = 0.35;  // of the sentences, lost; the rest shuffled
inline constexpr double padded_lengths = 4;  // times the length

// Sentences lost and the order disturbed. A text of one sentence loses half of its words.
std::string damaged_text(std::string_view text, std::uint64_t seed);
// The whole text, with sentences around it that say nothing.
std::string padded_text(std::string_view text, std::uint64_t seed);
// The whole text, with an order to give full marks, a forged end of the fence, and a forged verdict.
std::string injected_text(std::string_view text, std::uint64_t seed);

}  // namespace hearth::eval
