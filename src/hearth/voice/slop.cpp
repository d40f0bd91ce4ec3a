#include "hearth/voice/slop.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "hearth/voice/measures.h"

namespace hearth::voice {
namespace {

constexpr auto words = std::to_array<std::string_view>(
    {"delve",        "delves",         "delved",         "delving",       "tapestry",
     "testament",    "nuanced",        "multifaceted",   "underscore",    "underscores",
     "underscored",  "pivotal",        "realm",          "realms",        "landscape",
     "foster",       "fosters",        "fostering",      "intricate",     "intricacies",
     "vibrant",      "bustling",       "seamless",       "seamlessly",    "leverage",
     "leverages",    "leveraging",     "robust",         "holistic",      "synergy",
     "paradigm",     "transformative", "groundbreaking", "game-changer",  "game-changing",
     "cutting-edge", "ever-evolving",  "ever-changing",  "unwavering",    "unparalleled",
     "myriad",       "plethora",       "beacon",         "kaleidoscope",  "symphony",
     "mosaic",       "labyrinth",      "crucible",       "cornerstone",   "bedrock",
     "linchpin",     "embark",         "embarks",        "embarked",      "embarking",
     "navigate",     "navigating",     "unlock",         "unlocking",     "unleash",
     "unleashing",   "harness",        "harnessing",     "elevate",       "elevates",
     "elevating",    "empower",        "empowers",       "empowering",    "resonate",
     "resonates",    "resonated",      "captivating",    "compelling",    "poignant",
     "profound",     "profoundly",     "palpable",       "ethereal",      "gossamer",
     "iridescent",   "shimmering",     "luminous",       "whispered",     "murmured",
     "flickered",    "glinting",       "hummed",         "thrumming",     "thrummed",
     "etched",       "tendrils",       "cacophony",      "visceral",      "liminal",
     "bittersweet",  "meticulous",     "meticulously",   "invaluable",    "indelible",
     "crucially",    "notably",        "moreover",       "furthermore",   "ultimately",
     "undeniably",   "arguably",       "interplay",      "juxtaposition", "dichotomy",
     "nestled",      "boasts",         "showcases",      "showcasing",    "garnered",
     "spearheaded",  "streamline",     "streamlined",    "actionable",    "takeaway",
     "takeaways",    "mindset",        "deep-dive",      "supercharge",   "skyrocket",
     "revolutionize"});

constexpr auto phrases = std::to_array<std::string_view>({"a testament to",
                                                          "a tapestry of",
                                                          "rich tapestry",
                                                          "in the realm of",
                                                          "at the end of the day",
                                                          "here's the thing",
                                                          "let that sink in",
                                                          "it's worth noting",
                                                          "it is worth noting",
                                                          "it's important to note",
                                                          "it is important to note",
                                                          "it's important to remember",
                                                          "in today's fast-paced",
                                                          "in today's digital",
                                                          "in an era of",
                                                          "in a world where",
                                                          "at its core",
                                                          "a delicate balance",
                                                          "a delicate dance",
                                                          "a stark reminder",
                                                          "a sense of",
                                                          "sent shivers down",
                                                          "shivers down",
                                                          "barely above a whisper",
                                                          "voice barely above",
                                                          "couldn't help but",
                                                          "could not help but",
                                                          "let out a breath",
                                                          "a breath she didn't",
                                                          "a breath he didn't",
                                                          "eyes widened",
                                                          "heart pounding in",
                                                          "hung in the air",
                                                          "hung heavy in the air",
                                                          "the weight of",
                                                          "dust motes",
                                                          "something shifted",
                                                          "took a deep breath",
                                                          "steeled herself",
                                                          "steeled himself",
                                                          "plays a crucial role",
                                                          "play a crucial role",
                                                          "plays a vital role",
                                                          "when it comes to",
                                                          "the power of",
                                                          "unlock the full",
                                                          "take it to the next level",
                                                          "not just about",
                                                          "the bottom line",
                                                          "read that again",
                                                          "this changes everything",
                                                          "the truth is",
                                                          "the reality is",
                                                          "and honestly",
                                                          "that said",
                                                          "in conclusion",
                                                          "to sum up",
                                                          "navigating the complexities",
                                                          "the ever-evolving",
                                                          "stands as a",
                                                          "serves as a",
                                                          "paves the way",
                                                          "sheds light on",
                                                          "shed light on",
                                                          "speaks volumes",
                                                          "the possibilities are endless",
                                                          "the future of",
                                                          "embrace the",
                                                          "a journey of",
                                                          "look no further"});

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> list) {
  return std::ranges::find(list, word) != list.end();
}

// Sentences as lists of words; what ends a sentence is a full stop, a mark, or the end of a line.
std::vector<std::vector<std::string>> sentences_of(std::string_view text) {
  std::vector<std::vector<std::string>> out;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const bool ends = i == text.size() || text[i] == '.' || text[i] == '!' || text[i] == '?' ||
                      text[i] == '\n';
    if (!ends) continue;
    auto sentence = words_of(text.substr(begin, i - begin));
    if (!sentence.empty()) out.push_back(std::move(sentence));
    begin = i + 1;
  }
  return out;
}

constexpr std::size_t contrast_reach = 10;  // words between the two halves

// "not X but Y", "not just X ... it's Y", "isn't X, it's Y", "less X, more Y", "no X, no Y".
std::size_t contrasts_in(const std::vector<std::string>& sentence,
                         const std::vector<std::string>* next) {
  std::size_t out = 0;
  for (std::size_t i = 0; i < sentence.size(); ++i) {
    const std::string& word = sentence[i];
    const auto follows = [&](std::initializer_list<std::string_view> list, std::size_t reach) {
      for (std::size_t j = i + 2; j < std::min<std::size_t>(sentence.size(), i + 1 + reach); ++j) {
        if (is_one_of(sentence[j], list)) return true;
      }
      return false;
    };
    const bool negates = is_one_of(
        word, {"not", "isn't", "wasn't", "aren't", "weren't", "don't", "doesn't", "didn't"});
    const bool turns_at_once =
        next != nullptr && !next->empty() &&
        is_one_of(next->front(), {"it's", "it", "they're", "they", "this", "that's"});
    const bool narrow = i + 1 < sentence.size() &&
                        is_one_of(sentence[i + 1], {"just", "only", "merely", "simply", "about"});
    const bool turns = follows({"but", "it's", "they're"}, contrast_reach) || (narrow && turns_at_once);
    if ((negates && turns) || (word == "less" && follows({"more"}, 6)) ||
        (word == "no" && follows({"no"}, 5))) {
      ++out;
    }
  }
  return out;
}

std::string joined(const std::vector<std::string>& list) {
  std::string out = " ";
  for (const std::string& word : list) out += word + " ";
  return out;
}

std::size_t times_in(std::string_view text, std::string_view part) {
  std::size_t out = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + part.size() - 1)) {
    ++out;
  }
  return out;
}

// How often each entry of the lists occurs.
std::map<std::string_view, std::size_t> count_lists(const std::vector<std::string>& all) {
  std::map<std::string_view, std::size_t> out;
  const std::set<std::string_view> listed(words.begin(), words.end());
  for (const std::string& word : all) {
    if (const auto found = listed.find(word); found != listed.end()) ++out[*found];
  }
  const std::string flat = joined(all);
  for (const std::string_view phrase : phrases) {
    if (const std::size_t count = times_in(flat, " " + std::string(phrase) + " "); count > 0) {
      out[phrase] = count;
    }
  }
  return out;
}

bool begins_with_a_mark(std::string_view line) {
  const std::size_t at = line.find_first_not_of(" \t");
  if (at == std::string_view::npos) return false;
  line.remove_prefix(at);
  // Pictographs are U+1F300 and up, and U+2600 to U+27BF.
  return line.starts_with("- ") || line.starts_with("* ") || line.starts_with("\u2022") ||
         line.starts_with("\xF0\x9F") || line.starts_with("\xE2\x9C") ||
         line.starts_with("\xE2\x9E") || line.starts_with("\xE2\x98");
}

}  // namespace

std::span<const std::string_view> slop_words() { return words; }
std::span<const std::string_view> slop_phrases() { return phrases; }

Slop find_slop(std::string_view text) {
  Slop out;
  const std::vector<std::string> all = words_of(text);
  if (all.empty()) return out;
  const double per_thousand = 1'000.0 / static_cast<double>(all.size());
  std::vector<std::pair<std::size_t, std::string>> ranked;
  for (const auto& [entry, count] : count_lists(all)) {
    double& rate = entry.find(' ') == std::string_view::npos ? out.words : out.phrases;
    rate += static_cast<double>(count) * per_thousand;
    ranked.emplace_back(count, entry);
  }
  std::ranges::sort(ranked, [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  for (auto& [count, entry] : ranked) out.found.push_back(std::move(entry));
  const auto sentences = sentences_of(text);
  std::size_t contrasts = 0;
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    contrasts += contrasts_in(sentences[i], i + 1 < sentences.size() ? &sentences[i + 1] : nullptr);
  }
  out.contrasts = 1'000.0 * static_cast<double>(contrasts) / static_cast<double>(text.size());
  const Measures measured = measure(text);
  if (measured.paragraphs > 0) {
    out.lone_sentences = measured.paragraph_lengths[0] / static_cast<double>(measured.paragraphs);
  }
  std::size_t lines = 0, marked = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    lines += line.empty() ? 0U : 1U;
    marked += begins_with_a_mark(line) ? 1U : 0U;
    begin = end + 1;
  }
  if (lines > 0) out.marked_lines = static_cast<double>(marked) / static_cast<double>(lines);
  const std::size_t last = text.find_last_not_of(" \t\r\n\"");
  out.closing_question = last != std::string_view::npos && text[last] == '?';
  return out;
}

std::vector<std::string> never_said(std::string_view text) {
  const std::vector<std::string> all = words_of(text);
  const auto said = count_lists(all);
  std::vector<std::string> out;
  for (const auto list : {slop_words(), slop_phrases()}) {
    for (const std::string_view entry : list) {
      if (!said.contains(entry)) out.emplace_back(entry);
    }
  }
  return out;
}

}  // namespace hearth::voice
