#pragma once
// Controls: questions with a known answer, graded blind among the others. One that comes out wrong
// voids the verdict, whatever the scores say. Pure.
//
// Most controls are pairs of grades whose mean difference is known beforehand. All controls that
// can fail by chance share one budget, so that a good run is voided in at most 4 of 100 cases,
// however many controls it has.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"

namespace hearth::eval {

inline constexpr double false_void_budget = 0.04;

enum class ControlKind : std::uint8_t {
  same_arm,     // the reference's generations, split into halves under two ids
  duplicate,    // one text under two ids
  damaged,      // a text against itself with sentences lost and shuffled: must score lower
  padded,       // a text with neutral filler against itself: must not score higher
  injected,     // a text with orders to the judge against itself
  order,        // a pair shown in both orders: first place against second
  second_judge, // the arms' difference by this judge, minus that by another family or a person
  guess_arm,    // the judge guesses the arm from the text: share right minus one half
};
std::string_view control_name(ControlKind kind);

struct Control {
  std::string name;
  bool passed = false;
  std::string detail;  // what was expected and what came out
};

// What the differences must look like.
enum class Expectation : std::uint8_t { none, not_above, below };
Expectation expectation(ControlKind kind);

struct ControlPairs {
  ControlKind kind = ControlKind::same_arm;
  std::vector<double> differences;  // one for each text or prompt; in shares of a full score
};

// Fewer than two pairs fail: a control that did not run proves nothing.
std::vector<Control> check_controls(std::span<const ControlPairs> pairs);

// From the manifest: the committed blinding map is the one that was opened, after the last grade.
Control commitment_control(bool hash_matches, bool graded_before_opening);
Control completeness_control(std::uint64_t planned, std::uint64_t present_or_excused);

// The chance that a text of `a` gets a higher guess than one of `b`, minus one half: the area under
// the ROC curve of one prompt. Both sides have at least one.
double guess_advantage(std::span<const double> a, std::span<const double> b);

Json controls_json(std::span<const Control> controls);

}  // namespace hearth::eval
