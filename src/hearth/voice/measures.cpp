#include "hearth/voice/measures.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "hearth/base/check.h"

namespace hearth::voice {
namespace {

constexpr std::array<std::string_view, punctuation_marks> marks = {
    ",", ".", ";", ":", "!", "?", "--", "(", "\"", "'", "...", "*"};
constexpr std::size_t mark_dash = 6, mark_apostrophe = 9, mark_dots = 10;
constexpr std::size_t ngram_min = 3, ngram_max = 5;

struct Fold {
  std::string_view from, to;
};
constexpr std::array<Fold, 9> folds = {{{"\u2018", "'"},
                                        {"\u2019", "'"},
                                        {"\u201C", "\""},
                                        {"\u201D", "\""},
                                        {"\u201E", "\""},
                                        {"\u2013", "--"},
                                        {"\u2014", "--"},
                                        {"\u2026", "..."},
                                        {"\u00A0", " "}}};

// One form for each mark, however it was typed.
std::string folded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto fold =
        std::ranges::find_if(folds, [&](const Fold& f) { return text.starts_with(f.from); });
    if (fold != folds.end()) {
      out += fold->to;
      text.remove_prefix(fold->from.size());
    } else {
      out += text[0];
      text.remove_prefix(1);
    }
  }
  return out;
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Words of folded text: letters, with apostrophes and hyphens between letters.
template <class Use>
void each_word(std::string_view text, Use use) {
  std::string word;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ' ';
    const bool joins = (c == '\'' || c == '-') && !word.empty() && i + 1 < text.size() &&
                       is_letter(text[i + 1]);
    if (is_letter(c) || joins) {
      word += lower(c);
    } else if (!word.empty()) {
      use(word);
      word.clear();
    }
  }
}

void count_marks(std::string_view text, Measures& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    std::size_t mark = punctuation_marks;
    if (rest.starts_with("...")) {
      mark = mark_dots;
      i += 2;
    } else if (rest.starts_with("--") || rest.starts_with(" - ")) {
      mark = mark_dash;
      while (i + 1 < text.size() && text[i + 1] == '-') ++i;
      if (rest.starts_with(" - ")) i += 2;
    } else {
      for (std::size_t m = 0; m < punctuation_marks; ++m) {
        if (marks[m].size() == 1 && marks[m][0] == text[i]) mark = m;
      }
    }
    const bool inside_word = mark == mark_apostrophe && i > 0 && i + 1 < text.size() &&
                             is_letter(text[i - 1]) && is_letter(text[i + 1]);
    if (mark < punctuation_marks && !inside_word) ++out.punctuation[mark];
  }
}

std::size_t bin_of(std::size_t count, std::size_t width) {
  return std::min(length_bins - 1, (count - 1) / width);
}

// A sentence ends at . ! ? before a blank, a quote or the end.
std::vector<std::size_t> sentence_word_counts(std::string_view paragraph) {
  std::vector<std::size_t> out;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < paragraph.size(); ++i) {
    const char c = paragraph[i];
    const bool ends = (c == '.' || c == '!' || c == '?') &&
                      (i + 1 == paragraph.size() || is_blank(paragraph[i + 1]) ||
                       paragraph[i + 1] == '"' || paragraph[i + 1] == '\'');
    if (!ends && i + 1 < paragraph.size()) continue;
    std::size_t words = 0;
    each_word(paragraph.substr(begin, i + 1 - begin), [&](const std::string&) { ++words; });
    if (words > 0) out.push_back(words);
    begin = i + 1;
  }
  return out;
}

double variety_of(const std::vector<std::string>& words) {
  if (words.empty()) return 0;
  const std::size_t window = std::min(words.size(), variety_window_words);
  std::unordered_map<std::string_view, std::size_t> inside;
  double sum = 0;
  std::size_t windows = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    ++inside[words[i]];
    if (i >= window) {
      const auto leaving = inside.find(words[i - window]);
      if (--leaving->second == 0) inside.erase(leaving);
    }
    if (i + 1 < window) continue;
    sum += static_cast<double>(inside.size()) / static_cast<double>(window);
    ++windows;
  }
  return sum / static_cast<double>(windows);
}

std::vector<NgramWeight> weigh_ngrams(std::string_view text) {
  std::string flat;
  for (const char c : text) {
    const char one = is_blank(c) ? ' ' : lower(c);
    if (one != ' ' || flat.empty() || flat.back() != ' ') flat += one;
  }
  std::unordered_map<std::uint32_t, float> counts;
  for (std::size_t i = 0; i < flat.size(); ++i) {
    std::uint32_t hash = 2'166'136'261u;  // FNV-1a
    for (std::size_t n = 1; n <= ngram_max && i + n <= flat.size(); ++n) {
      hash = (hash ^ static_cast<unsigned char>(flat[i + n - 1])) * 16'777'619u;
      if (n >= ngram_min) ++counts[(hash ^ (hash >> 15)) % ngram_buckets];
    }
  }
  std::vector<NgramWeight> out;
  for (const auto& [bucket, count] : counts) out.push_back({bucket, 1 + std::log(count)});
  std::ranges::sort(out, {}, &NgramWeight::bucket);
  return out;
}

}  // namespace

std::string_view punctuation_name(std::size_t index) {
  CHECK(index < punctuation_marks);
  return marks[index];
}

double Measures::share_of(std::string_view word) const {
  const auto found = word_counts.find(word);
  return found == word_counts.end() || words == 0
             ? 0
             : static_cast<double>(found->second) / static_cast<double>(words);
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  each_word(folded(text), [&](const std::string& word) { out.push_back(word); });
  return out;
}

std::vector<std::string_view> paragraphs_of(std::string_view text) {
  std::vector<std::string_view> out;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    bool breaks = i == text.size();
    std::size_t end = i;
    if (!breaks && text[i] == '\n') {
      // A line without anything on it.
      std::size_t next = i + 1;
      while (next < text.size() && (text[next] == ' ' || text[next] == '\t' || text[next] == '\r')) {
        ++next;
      }
      breaks = next < text.size() && text[next] == '\n';
      if (breaks) i = next;
    }
    if (!breaks) continue;
    const std::string_view one = text.substr(begin, end - begin);
    if (one.find_first_not_of(" \t\r\n") != std::string_view::npos) out.push_back(one);
    begin = std::min(i + 1, text.size());
  }
  return out;
}

std::vector<std::string> pieces_of(std::string_view text, std::size_t words) {
  std::vector<std::string> out;
  std::string piece;
  std::size_t count = 0;
  for (const std::string_view paragraph : paragraphs_of(text)) {
    if (!piece.empty()) piece += "\n\n";
    piece += paragraph;
    count += words_of(paragraph).size();
    if (count < words) continue;
    out.push_back(std::move(piece));
    piece.clear();
    count = 0;
  }
  if (piece.empty()) return out;
  if (count * 2 < words && !out.empty()) {
    out.back() += "\n\n" + piece;
  } else {
    out.push_back(std::move(piece));
  }
  return out;
}

Measures measure(std::string_view text) {
  Measures out;
  const std::string plain = folded(text);
  out.characters = plain.size();
  const std::vector<std::string> words = words_of(plain);
  out.words = words.size();
  for (const std::string& word : words) {
    ++out.word_counts[word];
    if (word.find('\'') != std::string::npos) ++out.contractions;
  }
  count_marks(plain, out);
  for (const std::string_view paragraph : paragraphs_of(plain)) {
    const auto sentences = sentence_word_counts(paragraph);
    if (sentences.empty()) continue;
    ++out.paragraphs;
    ++out.paragraph_lengths[bin_of(sentences.size(), 1)];
    for (const std::size_t count : sentences) ++out.sentence_lengths[bin_of(count, 4)];
    out.sentences += sentences.size();
  }
  out.mean_sentence_words =
      out.sentences == 0 ? 0 : static_cast<double>(out.words) / static_cast<double>(out.sentences);
  out.variety = variety_of(words);
  out.ngrams = weigh_ngrams(plain);
  return out;
}

}  // namespace hearth::voice
