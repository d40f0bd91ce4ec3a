#include "hearth/voice/copy_guard.h"

#include <algorithm>

#include "hearth/voice/measures.h"

namespace hearth::voice {
namespace {

constexpr std::size_t seed_words = 4;
// Runs such as "at the end of" stand everywhere; so many places of one are enough.
constexpr std::size_t places_max = 256;
constexpr std::uint32_t unknown_word = UINT32_MAX;

std::uint64_t seed_key(const std::vector<std::uint32_t>& words, std::size_t at) {
  std::uint64_t out = 1'469'598'103'934'665'603ull;
  for (std::size_t i = 0; i < seed_words; ++i) out = (out ^ words[at + i]) * 1'099'511'628'211ull;
  return out;
}

}  // namespace

void CopyGuard::add(std::string name, std::string_view text) {
  std::vector<std::uint32_t> words;
  for (std::string& word : words_of(text)) {
    words.push_back(
        numbers_.try_emplace(std::move(word), static_cast<std::uint32_t>(numbers_.size()))
            .first->second);
  }
  const auto index = static_cast<std::uint32_t>(texts_.size());
  for (std::size_t i = 0; i + seed_words <= words.size(); ++i) {
    std::vector<Place>& places = starts_[seed_key(words, i)];
    if (places.size() < places_max) places.push_back({index, static_cast<std::uint32_t>(i)});
  }
  names_.push_back(std::move(name));
  texts_.push_back(std::move(words));
}

std::size_t CopyGuard::run_at(const std::vector<std::uint32_t>& draft, std::size_t from,
                              const Place& place) const {
  const std::vector<std::uint32_t>& text = texts_[place.text];
  std::size_t out = 0;
  while (from + out < draft.size() && place.word + out < text.size() &&
         draft[from + out] == text[place.word + out]) {
    ++out;
  }
  return out;
}

Copied CopyGuard::check(std::string_view draft) const {
  Copied out;
  const std::vector<std::string> spelled = words_of(draft);
  std::vector<std::uint32_t> words;
  for (const std::string& word : spelled) {
    const auto found = numbers_.find(word);
    words.push_back(found == numbers_.end() ? unknown_word : found->second);
  }
  std::size_t copied_runs = 0, longest_at = 0;
  for (std::size_t i = 0; i + seed_words <= words.size(); ++i) {
    const auto places = starts_.find(seed_key(words, i));
    if (places == starts_.end()) continue;
    std::size_t longest = 0;
    for (const Place& place : places->second) {
      const std::size_t run = run_at(words, i, place);
      longest = std::max(longest, run);
      if (run < seed_words || run <= out.longest_words) continue;
      out.longest_words = run;
      out.source = names_[place.text];
      longest_at = i;
    }
    if (longest >= copy_run_words) ++copied_runs;
  }
  for (std::size_t i = longest_at; i < longest_at + out.longest_words; ++i) {
    out.longest += (out.longest.empty() ? "" : " ") + spelled[i];
  }
  if (words.size() >= copy_run_words) {
    out.share =
        static_cast<double>(copied_runs) / static_cast<double>(words.size() - copy_run_words + 1);
  }
  return out;
}

}  // namespace hearth::voice
