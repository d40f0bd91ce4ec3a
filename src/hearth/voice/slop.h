#pragma once
// Habits of machines: words and phrases that models like more than people do, contrasts on the pattern
// "not X but Y", and the manners of posts. Rates, to be read beside the same rates of the writer's own
// texts. The lists are ours and English; contrasts are found by their surface alone, so the rates
// compare with nothing that was measured otherwise. Pure.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::voice {

std::span<const std::string_view> slop_words();
std::span<const std::string_view> slop_phrases();  // of two words and more, lower case

struct Slop {
  double words = 0;           // of the list, a thousand words
  double phrases = 0;         // a thousand words
  double contrasts = 0;       // a thousand characters
  double lone_sentences = 0;  // share of paragraphs that are one sentence
  double marked_lines = 0;    // share of lines that begin with a bullet or an emoji
  bool closing_question = false;
  std::vector<std::string> found;  // words and phrases in the text, most frequent first
};
Slop find_slop(std::string_view text);

// Words and phrases of the lists that `text` has nowhere: what its writer does not say.
std::vector<std::string> never_said(std::string_view text);

}  // namespace hearth::voice
