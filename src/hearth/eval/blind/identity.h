#pragma once
// What in an answer tells who wrote it, taken out before a judge sees it: thinking, tool markup and
// template tokens, names of the arm's model and files, and names of models and makers where the text
// speaks of itself ("As Kimi, I ..."). A maker's name in a sentence about something else stays.
//
// Pure. Text in, text out; the same text gives the same result. What is left is style, which
// nothing can take out: the control guess_arm measures whether that is enough to tell arms apart.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::eval {

struct Stripped {
  std::string text;  // normalised: line ends, spaces at line ends, runs of empty lines
  std::vector<std::string> removed;  // what was taken out, for the record
};

// `secrets` (model ids, quantisations, arms' names) are removed as whole words: wherever they stand if
// they look like ids, with a digit or a hyphen and at least telling_characters_min long; otherwise where
// the text speaks of itself only. "Q4" is also a quarter of a year, and "sonnet" a poem.
inline constexpr std::size_t telling_characters_min = 5;
Stripped strip_identity(std::string_view text, std::span<const std::string> secrets = {});

}  // namespace hearth::eval
