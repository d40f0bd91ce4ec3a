#include "hearth/bench/prompt_text.h"

#include <array>
#include <string_view>

#include "hearth/base/random.h"

namespace hearth::bench {
namespace {

using Words = std::array<std::string_view, 16>;
constexpr Words who = {"the miller", "her brother", "a stranger", "the clerk", "an old sailor", "my neighbour", "the engineer", "a child",
                       "the gardener", "our teacher", "the baker", "a surgeon", "the painter", "his aunt", "the ferryman", "a student"};
constexpr Words does = {"repaired", "forgot", "measured", "sold", "described", "carried", "hid", "counted",
                        "borrowed", "painted", "returned", "weighed", "copied", "opened", "lost", "sketched"};
constexpr Words what = {"a brass lamp", "the ledger", "two maps", "a broken clock", "the long letter", "seven stones", "an empty crate", "the blue coat",
                        "a violin", "the recipe", "three keys", "a wooden bridge", "the telescope", "an atlas", "a kettle", "the anchor"};
constexpr Words where = {"near the harbour", "behind the school", "in the cold attic", "at the crossing", "under the oak", "by the canal", "on the roof", "beside the well",
                         "in Lisbon", "along the railway", "past the mill", "inside the tower", "across the field", "at the border", "in the archive", "below the dam"};
constexpr Words when = {"before dawn", "in late autumn", "after the storm", "every Tuesday", "for eleven years", "during the fair", "at noon", "without a word",
                        "on the third day", "while it rained", "long ago", "twice", "against advice", "by candlelight", "in secret", "with great care"};

}  // namespace

std::string prompt_text(std::uint64_t seed, std::size_t bytes) {
  Random random(seed);
  // Texts of two seeds differ from their first word on.
  std::string out = "Notes of " + std::to_string(random.next()) + ". ";
  while (out.size() < bytes) {
    const auto pick = [&](const Words& words) { return words[random.below(words.size())]; };
    std::string sentence(pick(who));
    for (const Words* words : {&does, &what, &where, &when}) {
      sentence += ' ';
      sentence += pick(*words);
    }
    sentence[0] = static_cast<char>(sentence[0] - 'a' + 'A');
    out += sentence + (random.chance(0.2) ? "; nobody asked why. " : ". ");
  }
  out.resize(bytes);
  return out;
}

}  // namespace hearth::bench
