#pragma once
// What can be counted in a text that has to do with how it is written and little with what it is about:
// words that everybody uses, punctuation, rhythm of sentences and paragraphs, variety, runs of letters.
// No language is assumed beyond letters, blanks and the usual marks. Pure; text is UTF-8.

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::voice {

inline constexpr std::size_t punctuation_marks = 12;
std::string_view punctuation_name(std::size_t index);  // ",", ";", "--", "(", ...
inline constexpr std::size_t length_bins = 12;
// Runs of 3 to 5 characters fall into so many buckets by their hash.
inline constexpr std::uint32_t ngram_buckets = 1u << 18;
inline constexpr std::size_t variety_window_words = 500;

struct NgramWeight {
  std::uint32_t bucket = 0;
  float weight = 0;  // of a text: 1 + ln(count)
};

struct Measures {
  std::size_t words = 0, sentences = 0, paragraphs = 0, characters = 0;
  std::map<std::string, std::uint32_t, std::less<>>
      word_counts;                                      // lower case (ASCII), apostrophes kept
  std::array<double, punctuation_marks> punctuation{};  // counts
  std::array<double, length_bins>
      sentence_lengths{};  // sentences, by words: 1-4, 5-8, ...; the last is open
  std::array<double, length_bins> paragraph_lengths{};  // paragraphs, by sentences: 1, 2, ...
  double contractions = 0;                              // words with an apostrophe inside
  double variety = 0;  // mean share of different words in windows of 500 words (MATTR)
  double mean_sentence_words = 0;
  std::vector<NgramWeight> ngrams;  // by bucket

  double share_of(std::string_view word) const;  // of all words
};

// Curly quotes and long dashes count as their plain forms.
Measures measure(std::string_view text);

// Lower-case words in order; what they are cut at is left out.
std::vector<std::string> words_of(std::string_view text);
std::vector<std::string_view> paragraphs_of(std::string_view text);
// Cuts at the paragraphs nearest to `words`, so that no piece but a lone one is shorter than half of that.
std::vector<std::string> pieces_of(std::string_view text, std::size_t words);

}  // namespace hearth::voice
