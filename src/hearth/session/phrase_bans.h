#pragma once
// Phrases that a draft must not have, found while it is written, and what to do then: go back to
// before the phrase and try again, further back each time it comes again. Pure; one draft each.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::session {

inline constexpr std::size_t bans_max = 2'000;

// Compared without regard to ASCII case and to which blanks and apostrophes are used; whole words only.
class PhraseBans {
 public:
  explicit PhraseBans(std::vector<std::string> phrases);
  struct Found {
    std::size_t begin = 0, end = 0;  // bytes of the text
    std::string phrase;
  };
  // The first that ends after `from`. At the end of a text that goes on (`is_open`) a phrase may yet
  // become a longer word, and is not found.
  std::optional<Found> find(std::string_view text, std::size_t from, bool is_open) const;
  bool empty() const { return phrases_.empty(); }

 private:
  std::vector<std::string> phrases_;
};

// A draft as it grows. After take() said `again`, text() has been cut and the writer asks anew from
// there, with another seed; retry_count() says how much bolder to be.
class BannedDraft {
 public:
  struct Limits {
    int tries_per_place = 4;   // then it goes back to the beginning of the sentence, then the paragraph
    int retries_max = 200;     // of the whole draft; then phrases pass
  };
  BannedDraft(const PhraseBans& bans, Limits limits) : bans_(bans), limits_(limits) {}

  enum class Step : std::uint8_t { go_on, again };
  Step take(std::string_view piece);
  Step finish();  // the writer came to its end
  const std::string& text() const { return text_; }
  int retries() const { return retries_; }
  int tries_here() const { return tries_here_; }
  const std::vector<std::string>& passed() const { return passed_; }

 private:
  Step look(bool is_open);

  const PhraseBans& bans_;
  const Limits limits_;
  std::string text_;
  std::size_t looked_to_ = 0;
  std::map<std::size_t, int> tries_;  // by place
  int retries_ = 0, tries_here_ = 0;
  std::vector<std::string> passed_;   // could not be avoided
};

// A list of phrases, one a line; '#' begins a comment.
std::vector<std::string> read_phrases(std::string_view text);

}  // namespace hearth::session
