#include "hearth/engine/synth/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/base/random.h"

namespace hearth::engine {
namespace {

constexpr std::size_t kBytesPerFact = 100;
constexpr std::size_t kQuietTail = 200;
constexpr std::size_t kTwinEvery = 4;

constexpr std::array<std::string_view, 24> kNouns = {
    "harbour", "garden",  "lantern", "bridge", "kettle",  "orchard", "window",   "valley",
    "teacher", "sailor",  "baker",   "river",  "stove",   "market",  "carpenter", "meadow",
    "clock",   "blanket", "village", "wagon",  "library", "painter", "chimney",  "fence"};
constexpr std::array<std::string_view, 20> kVerbs = {
    "carried",  "painted",   "noticed", "repaired", "crossed",  "followed", "watched",
    "counted",  "described", "left",    "opened",   "covered",  "found",    "measured",
    "borrowed", "polished",  "moved",   "visited",  "forgot",   "admired"};
constexpr std::array<std::string_view, 20> kAdjectives = {
    "quiet",  "narrow",  "wooden", "bright",  "heavy",  "gentle", "distant",
    "early",  "dusty",   "warm",   "green",   "broken", "patient", "small",
    "crooked", "silver", "foggy",  "plain",   "tall",   "rusty"};
constexpr std::array<std::string_view, 12> kEndings = {
    "before the rain began",   "after supper",          "while the children slept",
    "on a market day",         "without saying a word", "for the third time",
    "in the cold of February", "as everybody expected", "near the old mill",
    "with a borrowed ladder",  "late in the evening",   "because the road was closed"};
constexpr std::array<std::string_view, 8> kOpeners = {
    "Later",  "By noon", "Once more", "In those days", "Strangely", "Every summer",
    "Nearby", "All the same"};

class Writer {
 public:
  explicit Writer(std::uint64_t seed) : random_(seed) {}

  std::string sentence() {
    const std::string action = fmt::format("the {} {} {} the {} {}", adjective(), noun(), verb(),
                                           adjective(), noun());
    switch (random_.below(4)) {
      case 0: return fmt::format("{}, {} {}. ", pick(kOpeners), action, pick(kEndings));
      case 1: return fmt::format("T{} and {} a {}. ", action.substr(1), verb(), noun());
      case 2: return fmt::format("T{}; nobody {} the {}. ", action.substr(1), verb(), noun());
      default: return fmt::format("T{} {}. ", action.substr(1), pick(kEndings));
    }
  }

  // Three random syllables: two names hardly ever have more than one in common.
  std::string name() {
    std::string name;
    do {
      name.clear();
      for (int syllable = 0; syllable < 3; ++syllable) {
        name += kConsonants[random_.below(kConsonants.size())];
        name += kVowels[random_.below(kVowels.size())];
      }
    } while (!names_.insert(name).second);
    return name;
  }

  // The name with another vowel in one place: easily mixed up.
  std::string twin_of(const std::string& name) {
    std::string twin = name;
    while (names_.contains(twin)) {
      twin = name;
      twin[1 + 2 * random_.below(3)] = kVowels[random_.below(kVowels.size())];
    }
    names_.insert(twin);
    return twin;
  }

  std::string code() {
    std::string code;
    do code = fmt::format("{:04}", random_.below(10'000));
    while (!codes_.insert(code).second);
    return code;
  }

 private:
  static constexpr std::string_view kConsonants = "bdfgklmnprstvz";
  static constexpr std::string_view kVowels = "aeiou";

  template <std::size_t count>
  std::string_view pick(const std::array<std::string_view, count>& words) {
    return words[random_.below(count)];
  }
  std::string_view noun() { return pick(kNouns); }
  std::string_view verb() { return pick(kVerbs); }
  std::string_view adjective() { return pick(kAdjectives); }

  Random random_;
  std::set<std::string> names_;
  std::set<std::string> codes_;
};

}  // namespace

Result<PlantedText> plant_facts(std::uint64_t seed, std::size_t fact_count,
                                std::size_t byte_count) {
  if (byte_count < kQuietTail + fact_count * kBytesPerFact) {
    return fail(Code::invalid_argument,
                fmt::format("{} facts need at least {} bytes of text, not {}", fact_count,
                            kQuietTail + fact_count * kBytesPerFact, byte_count));
  }
  Writer writer(seed);
  PlantedText planted;
  std::vector<std::string> names;
  std::string& text = planted.text;
  const std::size_t spacing = fact_count == 0 ? 0 : (byte_count - kQuietTail) / fact_count;
  while (text.size() < byte_count) {
    const std::size_t next = planted.facts.size();
    if (next < fact_count && text.size() + kBytesPerFact >= (next + 1) * spacing) {
      names.push_back(next % kTwinEvery == kTwinEvery - 1 ? writer.twin_of(names[next - 2])
                                                          : writer.name());
      Fact fact{fmt::format("the secret code of {} is", names.back()),
                fmt::format(" {}", writer.code()), text.size() + 10};
      text += fmt::format("Remember: {}{}. ", fact.question, fact.answer);
      planted.facts.push_back(std::move(fact));
    } else {
      text += writer.sentence();
    }
  }
  CHECK(planted.facts.size() == fact_count);
  text.resize(byte_count);
  // A cut sentence would look like the start of an answer.
  text.back() = '\n';
  return planted;
}

}  // namespace hearth::engine
