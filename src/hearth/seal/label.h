#pragma once
// How far a piece of work may travel. Everything that is made of it (answers, KV, titles, grades,
// log lines) carries the join of the labels of what went in. docs/seal.md. Values; pure.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"

namespace hearth::seal {

// In order: a later one is stricter.
enum class Label : std::uint8_t {
  open,    // wherever the user configured
  house,   // machines of the cluster, and hosts of the home network that were named
  sealed,  // machines of the cluster only, encrypted at rest
};
inline constexpr std::array all_labels = {Label::open, Label::house, Label::sealed};

std::string_view label_name(Label label);
// "sealed", "house", "open"; everything else is refused, never guessed.
Result<Label> parse_label(std::string_view text);
constexpr Label join(Label a, Label b) { return a < b ? b : a; }

// Where work may be done, as a property of the place: its address says nothing.
enum class Reach : std::uint8_t { cluster, house, remote };
std::string_view reach_name(Reach reach);
constexpr bool may_go(Label label, Reach reach) {
  switch (label) {
    case Label::open: return true;
    case Label::house: return reach != Reach::remote;
    case Label::sealed: return reach == Reach::cluster;
  }
  return false;
}

// Who asked for a label.
enum class Source : std::uint8_t {
  key,           // the client's API key has a label
  header,        // X-Hearth-Label
  folder,        // a rule for the project's folder
  session,       // the label was set on the session, or an earlier request had it
  provenance,    // a file under a sealed path, or text known from a sealed conversation
  detector,      // a secret was seen
  default_rule,  // what has no other
  failure,       // the label could not be found out: sealed
};
std::string_view source_name(Source source);
std::optional<Source> parse_source(std::string_view name);

struct Reason {
  Source source = Source::failure;
  Label label = Label::sealed;
  std::string rule;  // which one, for the record: "key claude-work", "detector private_key"; no text of the work
  bool operator==(const Reason&) const = default;
};

// A label with all that spoke for it. Joining never lowers.
struct LabelDecision {
  Label label = Label::open;
  std::vector<Reason> reasons;  // every source that yielded one, strictest first, none twice

  void add(Reason reason);
  void add(const LabelDecision& other);
  bool operator==(const LabelDecision&) const = default;
};
inline constexpr std::size_t reasons_max = 32;  // beyond it only a stricter one is noted

}  // namespace hearth::seal
