#pragma once
// Does a draft repeat what it was shown? The longest run of words that stands in the sources too, and the
// share of the draft's runs of eight words that do. A quotation is no fault; the caller decides. Pure
// once made; memory: about forty bytes a word of the sources.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hearth::voice {

inline constexpr std::size_t copy_run_words = 8;

struct Copied {
  std::size_t longest_words = 0;  // below 4: 0
  std::string longest;            // as words of the draft, in lower case
  std::string source;             // name of the text that has it
  double share = 0;               // of the draft's runs of eight words
};

class CopyGuard {
 public:
  void add(std::string name, std::string_view text);
  Copied check(std::string_view draft) const;

 private:
  struct Place {
    std::uint32_t text = 0, word = 0;
  };
  std::size_t run_at(const std::vector<std::uint32_t>& draft, std::size_t from,
                     const Place& place) const;

  std::vector<std::string> names_;
  std::vector<std::vector<std::uint32_t>> texts_;  // words by number
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::unordered_map<std::uint64_t, std::vector<Place>>
      starts_;  // where each run of four words begins
};

}  // namespace hearth::voice
