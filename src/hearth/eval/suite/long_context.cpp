#include "hearth/eval/suite/long_context.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "hearth/base/check.h"
#include "hearth/base/random.h"
#include "hearth/eval/suite/item.h"
#include "hearth/eval/suite/long_context_words.h"

namespace hearth::eval {
namespace {

using Slots = std::map<std::string, std::string, std::less<>>;

constexpr std::string_view absent = "not in the notes";
constexpr std::size_t neighbours = 7;  // facts of the same kind about somebody else
constexpr std::size_t reports = 5;     // of one person on one habit
constexpr std::string_view months[] = {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"};
constexpr int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

std::string fill(std::string_view sentence, const Slots& slots) {
  std::string out;
  while (!sentence.empty()) {
    const std::size_t open = sentence.find('{');
    out += sentence.substr(0, open);
    if (open == std::string_view::npos) break;
    const std::size_t close = sentence.find('}', open);
    const auto slot = slots.find(sentence.substr(open + 1, close - open - 1));
    CHECK(slot != slots.end());
    out += slot->second;
    sentence.remove_prefix(close + 1);
  }
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return out;
}

std::string date_of(double share_of_year) {
  int day = std::min(364, static_cast<int>(share_of_year * 365));
  for (std::size_t month = 0; month < std::size(months); ++month) {
    if (day < month_days[month]) return fmt::format("{} {}", day + 1, months[month]);
    day -= month_days[month];
  }
  return "31 December";
}

// A sentence that is to stand in the document, and where; `question` is empty for neighbours.
struct Placed {
  double depth;
  std::string sentence;
  std::string question;
};

class Maker {
 public:
  explicit Maker(const LongContextRequest& request)
      : request_(request), random_(request.seed * 0x9E3779B97F4A7C15u + request.tokens), names_(words::people().begin(), words::people().end()) {
    setting_ = &*std::ranges::find(words::settings(), request.setting, &words::Setting::name);
    shuffle(names_);
  }

  LongContext make() {
    const auto landmarks = drawn(words::landmarks());
    const auto trades = drawn(words::trades());
    ask_known(landmarks, 2, [](const words::Pair& pair) { return fmt::format("Which member lives in {} by now?", pair.asked); },
              [this](const words::Pair& pair, std::string_view name) {
                return fill(pick(words::landmark_sentences()), {{"name", std::string(name)}, {"landmark", std::string(pair.told)}});
              });
    ask_known(trades, 2, [](const words::Pair& pair) { return fmt::format("Which member is {}?", pair.asked); },
              [](const words::Pair& pair, std::string_view name) { return fill(pair.told, {{"name", std::string(name)}}); });
    ask_heirloom();
    ask_stock();
    ask_habit();
    // The first landmark that no sentence used: nobody is there.
    ask(fmt::format("Which member lives in {} by now?", landmarks[neighbours + 2].asked), Json(absent), Json(next_name()));
    return written();
  }

 private:
  template <class T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random_.below(i)]);
  }
  template <class T>
  std::vector<T> drawn(std::span<const T> values) {
    std::vector<T> out(values.begin(), values.end());
    shuffle(out);
    return out;
  }
  template <class T>
  const T& pick(std::span<const T> values) {
    return values[random_.below(values.size())];
  }
  // Each asked-for name is used by one fact only.
  std::string next_name() { return std::string(names_[next_name_++ % names_.size()]); }
  double anywhere() { return 0.01 + 0.98 * random_.uniform(); }
  std::string amount(std::uint64_t low, std::uint64_t high) { return std::to_string(low + random_.below(high - low)); }

  void ask(std::string question, Json right, Json wrong) {
    const std::string key = fmt::format("q{}", out_.expected.is_object() ? out_.expected.as_object().size() + 1 : 1);
    out_.questions += fmt::format("{}: {}\n", key, question);
    out_.expected.set(key, std::move(right));
    wrong_.set(key, std::move(wrong));
  }
  void place(double depth, std::string sentence, std::string question = {}) {
    placed_.push_back({depth, std::move(sentence), std::move(question)});
  }

  // A fact whose question needs knowledge of the world, among neighbours about others.
  template <class Question, class Told>
  void ask_known(const std::vector<words::Pair>& pairs, std::size_t asked, const Question& question, const Told& told) {
    std::vector<std::string> who;
    for (std::size_t i = 0; i < asked + neighbours; ++i) who.push_back(next_name());
    for (std::size_t i = 0; i < who.size(); ++i) {
      place(anywhere(), told(pairs[i], who[i]), i < asked ? question(pairs[i]) : std::string());
    }
    for (std::size_t i = 0; i < asked; ++i) ask(question(pairs[i]), Json(who[i]), Json(who[asked + i]));
  }

  // From hand to hand, in the order of the document, while two other things go round as well.
  void ask_heirloom() {
    const auto things = drawn(words::heirlooms());
    for (std::size_t i = 0; i < 3; ++i) {
      const bool is_asked = i == 0;
      std::vector<std::string> holders;
      for (std::uint32_t hop = 0; hop <= request_.hops; ++hop) holders.push_back(next_name());
      const std::string question = fmt::format("Who has the {} at the end of the year?", things[i].asked);
      for (std::uint32_t hop = 0; hop < request_.hops; ++hop) {
        place((hop + 0.1 + 0.8 * random_.uniform()) / request_.hops,
              fill(pick(words::handover_sentences()), {{"from", holders[hop]}, {"to", holders[hop + 1]}, {"thing", std::string(things[i].told)}}),
              is_asked ? question : std::string());
      }
      if (!is_asked) continue;
      ask(question, Json(holders.back()), Json(holders[holders.size() - 2]));
      ask(fmt::format("Who had the {} first?", things[i].asked), Json(holders.front()), Json(holders[1]));
    }
  }

  // A count that is changed twice.
  void ask_stock() {
    const auto stocks = drawn(words::stocks());
    for (std::size_t i = 0; i < 3; ++i) {
      const words::Stock& stock = stocks[i];
      const std::string name = next_name();
      const std::int64_t first = 120 + static_cast<std::int64_t>(random_.below(180)), lost = 11 + static_cast<std::int64_t>(random_.below(60)),
                         more = 13 + static_cast<std::int64_t>(random_.below(70));
      const std::string question = i == 0 ? fmt::format("How many usable {} are kept {} after all that was noted?", stock.asked, stock.place_asked) : std::string();
      place(0.05 + 0.25 * random_.uniform(), fmt::format("{} went through everything {} and wrote down {} {}.", name, stock.place_told, first, stock.told), question);
      place(0.35 + 0.25 * random_.uniform(), fmt::format("{} had another look {}: {} of the {} were spoilt and have gone to the tip.", name, stock.place_told, lost, stock.told), question);
      place(0.65 + 0.3 * random_.uniform(), fmt::format("A carter brought {} more {}; {} put them with the rest {}.", more, stock.told, name, stock.place_told), question);
      if (i == 0) ask(question, Json(first - lost + more), Json(first));
    }
  }

  // The n-th of several reports; others report on the same, and the same person on something else.
  void ask_habit() {
    const auto habits = drawn(words::habits());
    const std::string asked_name = next_name();
    const std::uint64_t asked_report = 1 + random_.below(reports - 2);
    for (std::size_t i = 0; i < 4; ++i) {
      const words::Pair& habit = habits[i < 2 ? 0 : 1];
      const std::string name = i % 2 == 0 ? asked_name : next_name();
      constexpr std::string_view ordinals[] = {"first", "second", "third", "fourth", "fifth"};
      const std::string question = fmt::format("How much was it, as a number, the {} time that {} is known to {}?", ordinals[asked_report], name, habit.asked);
      std::vector<std::string> amounts;
      for (std::size_t report = 0; report < reports; ++report) {
        do amounts.resize(report), amounts.push_back(amount(11, 97));
        while (std::ranges::count(amounts, amounts.back()) > 1);
        place((static_cast<double>(report) + 0.05 + 0.9 * random_.uniform()) / reports, fill(habit.told, {{"name", name}, {"number", amounts[report]}}),
              i == 0 && report == asked_report ? question : std::string());
      }
      if (i == 0) ask(question, Json(std::stoll(amounts[asked_report])), Json(std::stoll(amounts[asked_report + 1])));
    }
  }

  std::string filler_sentence() {
    std::string name(pick(words::people())), other(pick(words::people()));
    while (other == name) other = pick(words::people());
    return fill(pick(words::filler()), {{"name", name},
                                        {"other", other},
                                        {"place", std::string(pick(setting_->places))},
                                        {"thing", std::string(pick(setting_->things))},
                                        {"activity", std::string(pick(setting_->activities))},
                                        {"number", amount(3, 60)},
                                        {"time", std::string(pick(words::times()))},
                                        {"weather", std::string(pick(words::weathers()))}});
  }

  // Notes of a few sentences up to the length; a placed sentence stands in the first note at its depth.
  LongContext written() {
    std::ranges::stable_sort(placed_, {}, &Placed::depth);
    const std::size_t bytes = static_cast<std::size_t>(request_.tokens) * bytes_per_token;
    std::string& text = out_.document;
    text = std::string(setting_->preface) + "\n";
    std::size_t next = 0;
    std::string date;
    while (text.size() < bytes || next < placed_.size()) {
      const double depth = std::min(1.0, static_cast<double>(text.size()) / static_cast<double>(bytes));
      const std::string today = date_of(depth);
      text += today == date ? "\n" : fmt::format("\n{}\n", today);
      date = today;
      const std::uint64_t before = 1 + random_.below(3), after = random_.below(3);
      for (std::uint64_t i = 0; i < before; ++i) text += filler_sentence() + " ";
      if (next < placed_.size() && placed_[next].depth <= depth) {
        Placed& one = placed_[next++];
        if (!one.question.empty()) out_.needles.push_back({one.sentence, one.question, depth});
        text += one.sentence + " ";
      }
      for (std::uint64_t i = 0; i < after; ++i) text += filler_sentence() + " ";
      text.back() = '\n';
    }
    add_wrong_answers();
    return std::move(out_);
  }

  // All from neighbours; only the numbers and last holders; nothing found at all.
  void add_wrong_answers() {
    Json late = out_.expected, nothing = out_.expected;
    for (auto& [key, value] : late.as_object()) {
      if (value.is_integer() || key == "q5") value = *wrong_.find(key);
    }
    for (auto& [key, value] : nothing.as_object()) value = absent;
    out_.wrong = {wrong_, std::move(late), std::move(nothing)};
  }

  const LongContextRequest& request_;
  const words::Setting* setting_;
  Random random_;
  std::vector<std::string_view> names_;
  std::size_t next_name_ = 0;
  std::vector<Placed> placed_;
  LongContext out_;
  Json wrong_;
};

std::set<std::string> words_of_meaning(std::string_view text) {
  static const std::set<std::string, std::less<>> empty_words = {"which", "member", "many", "have", "after", "that", "with", "from", "this", "they", "were", "been", "what",
                                                                 "their", "said", "time", "year", "noted", "first", "second", "third", "fourth", "fifth", "about", "them", "much", "number", "known"};
  std::set<std::string> out;
  std::string word;
  for (const char c : std::string(text) + " ") {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
    if (is_letter) {
      word += c;
      continue;
    }
    const bool is_name = std::ranges::find(words::people(), word) != words::people().end();
    std::string small = word;
    for (char& letter : small) letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    word.clear();
    if (is_name || small.size() < 4 || empty_words.contains(small)) continue;
    for (const std::string_view ending : {"ing", "ed", "es", "s"}) {
      if (!small.ends_with(ending) || small.size() - ending.size() < 4) continue;
      small.resize(small.size() - ending.size());
      break;
    }
    out.insert(small);
  }
  return out;
}

}  // namespace

std::vector<std::string> long_context_settings() {
  std::vector<std::string> out;
  for (const words::Setting& setting : words::settings()) out.emplace_back(setting.name);
  return out;
}

LongContext make_long_context(const LongContextRequest& request) {
  CHECK(std::ranges::find(words::settings(), request.setting, &words::Setting::name) != words::settings().end());
  return Maker(request).make();
}

double lexical_overlap(std::string_view question, std::string_view sentence) {
  const auto asked = words_of_meaning(question), told = words_of_meaning(sentence);
  const auto shared = std::ranges::count_if(asked, [&](const std::string& word) { return told.contains(word); });
  return asked.empty() ? 0 : static_cast<double>(shared) / static_cast<double>(asked.size());
}

}  // namespace hearth::eval
