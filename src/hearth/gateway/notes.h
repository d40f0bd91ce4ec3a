#pragma once
// What is told to the log about a request that was served: what of it was ignored. No prompt text.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::gateway {

inline constexpr std::size_t notes_max = 32;
inline constexpr std::size_t noted_word_bytes_max = 64;

struct Notes {
  std::vector<std::string> notes;

  // Each note once. A word of the client's in it is cut short.
  void note(std::string_view what, std::string_view word = {}) {
    std::string text(what);
    if (!word.empty()) text += ": " + std::string(word.substr(0, noted_word_bytes_max));
    if (notes.size() >= notes_max) return;
    if (std::find(notes.begin(), notes.end(), text) == notes.end()) notes.push_back(std::move(text));
  }
};

}  // namespace hearth::gateway
