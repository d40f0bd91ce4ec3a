#include "hearth/session/phrase_bans.h"

#include <algorithm>

namespace hearth::session {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
// Letters of other alphabets are bytes above ASCII: part of a word, too.
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
}
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

constexpr std::string_view curly_apostrophe = "\u2019";

// How many bytes of `text` at `at` say the phrase; 0: they do not.
std::size_t match(std::string_view text, std::size_t at, std::string_view phrase) {
  const std::size_t begin = at;
  for (std::size_t i = 0; i < phrase.size();) {
    if (at >= text.size()) return 0;
    if (phrase[i] == ' ') {
      if (!is_blank(text[at])) return 0;
      while (at < text.size() && is_blank(text[at])) ++at;
      ++i;
    } else if (phrase[i] == '\'' && text.substr(at).starts_with(curly_apostrophe)) {
      at += curly_apostrophe.size();
      ++i;
    } else if (lower(text[at]) == phrase[i]) {
      ++at;
      ++i;
    } else {
      return 0;
    }
  }
  return at - begin;
}

std::string plain(std::string_view phrase) {
  std::string out;
  for (std::size_t i = 0; i < phrase.size(); ++i) {
    if (phrase.substr(i).starts_with(curly_apostrophe)) {
      out += '\'';
      i += curly_apostrophe.size() - 1;
    } else if (!is_blank(phrase[i])) {
      out += lower(phrase[i]);
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

std::size_t sentence_begin(std::string_view text, std::size_t at) {
  while (at > 0) {
    --at;
    if (at + 1 < text.size() && (text[at] == '.' || text[at] == '!' || text[at] == '?') && is_blank(text[at + 1])) return at + 1;
    if (text[at] == '\n') return at + 1;
  }
  return 0;
}

std::size_t paragraph_begin(std::string_view text, std::size_t at) {
  const std::size_t found = at < 2 ? std::string_view::npos : text.rfind("\n\n", at - 2);
  return found == std::string_view::npos ? 0 : found + 2;
}

}  // namespace

PhraseBans::PhraseBans(std::vector<std::string> phrases) {
  for (const std::string& phrase : phrases) {
    if (std::string one = plain(phrase); !one.empty() && phrases_.size() < bans_max) phrases_.push_back(std::move(one));
  }
}

std::optional<PhraseBans::Found> PhraseBans::find(std::string_view text, std::size_t from, bool is_open) const {
  std::optional<Found> out;
  for (const std::string& phrase : phrases_) {
    // A phrase may have begun before `from`; blanks in the text may be longer than in the phrase.
    const std::size_t reach = phrase.size() * 3;
    for (std::size_t at = from > reach ? from - reach : 0; at < text.size(); ++at) {
      if (out && at >= out->begin) break;
      if (at > 0 && is_word(text[at - 1]) && is_word(phrase.front())) continue;
      const std::size_t bytes = match(text, at, phrase);
      if (bytes == 0) continue;
      const std::size_t end = at + bytes;
      if (end <= from || (end == text.size() && is_open)) continue;
      if (end < text.size() && is_word(text[end]) && is_word(phrase.back())) continue;
      out = Found{at, end, phrase};
      break;
    }
  }
  return out;
}

BannedDraft::Step BannedDraft::take(std::string_view piece) {
  text_ += piece;
  return look(/*is_open=*/true);
}

BannedDraft::Step BannedDraft::finish() { return look(/*is_open=*/false); }

BannedDraft::Step BannedDraft::look(bool is_open) {
  while (const auto found = bans_.find(text_, looked_to_, is_open)) {
    if (retries_ == limits_.retries_max) {
      passed_.push_back(found->phrase);
      looked_to_ = found->end;
      continue;
    }
    ++retries_;
    tries_here_ = ++tries_[found->begin];
    std::size_t cut = found->begin;
    if (tries_here_ > 2 * limits_.tries_per_place) cut = paragraph_begin(text_, cut);
    else if (tries_here_ > limits_.tries_per_place) cut = sentence_begin(text_, cut);
    text_.resize(cut);
    looked_to_ = std::min(looked_to_, cut);
    return Step::again;
  }
  // What stands at the open end is looked at again when it has gone on.
  if (!is_open) looked_to_ = text_.size();
  else if (text_.size() > looked_to_) looked_to_ = text_.size() - 1;
  return Step::go_on;
}

std::vector<std::string> read_phrases(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string line = plain(text.substr(0, std::min(end, text.find('#'))));
    if (!line.empty()) out.push_back(std::move(line));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return out;
}

}  // namespace hearth::session
