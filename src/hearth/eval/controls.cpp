#include "hearth/eval/controls.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/check.h"
#include "hearth/eval/statistics/estimate.h"

namespace hearth::eval {
namespace {

// A judge that sees no difference between a text and its ruin is no judge. At 95 % one such judge in
// twenty would get through; ruin is plain enough for more.
constexpr double damaged_level = 0.999;

// Can the control fail although all is well? The damaged arm fails only when nothing is noticed.
bool shares_budget(ControlKind kind) { return expectation(kind) != Expectation::below; }

bool holds(const Estimate& found, Expectation expected, double false_void_rate) {
  switch (expected) {
    case Expectation::none: return found.interval(1 - false_void_rate).contains(0);
    case Expectation::not_above: return found.lower_limit(1 - false_void_rate) <= 0;
    case Expectation::below: return found.upper_limit(damaged_level) < 0;
  }
  return false;
}

std::string_view expectation_text(Expectation expected) {
  switch (expected) {
    case Expectation::none: return "expected no difference";
    case Expectation::not_above: return "expected no gain";
    case Expectation::below: return "expected a loss";
  }
  return "";
}

Control check(const ControlPairs& pairs, double false_void_rate) {
  const Expectation expected = expectation(pairs.kind);
  Control out{.name = std::string(control_name(pairs.kind)), .passed = false, .detail = {}};
  const auto found = estimate(sample_of(pairs.differences));
  if (!found) {
    out.detail = fmt::format("{} pairs graded; at least 2 are needed", pairs.differences.size());
    return out;
  }
  out.passed = holds(*found, expected, false_void_rate);
  out.detail = fmt::format("{}, found {:+.1f} points (standard error {:.1f}, {} pairs)",
                           expectation_text(expected), 100 * found->difference,
                           100 * found->standard_error, found->clusters);
  return out;
}

}  // namespace

std::string_view control_name(ControlKind kind) {
  switch (kind) {
    case ControlKind::same_arm: return "same_arm";
    case ControlKind::duplicate: return "duplicate";
    case ControlKind::damaged: return "damaged";
    case ControlKind::padded: return "padded";
    case ControlKind::injected: return "injected";
    case ControlKind::order: return "order";
    case ControlKind::second_judge: return "second_judge";
    case ControlKind::guess_arm: return "guess_arm";
  }
  return "";
}

Expectation expectation(ControlKind kind) {
  if (kind == ControlKind::damaged) return Expectation::below;
  if (kind == ControlKind::padded) return Expectation::not_above;
  return Expectation::none;
}

std::vector<Control> check_controls(std::span<const ControlPairs> pairs) {
  const auto sharing = std::ranges::count_if(pairs, shares_budget, &ControlPairs::kind);
  const double false_void_rate = false_void_budget / std::max<double>(1, static_cast<double>(sharing));
  std::vector<Control> out;
  for (const ControlPairs& one : pairs) out.push_back(check(one, false_void_rate));
  return out;
}

Control commitment_control(bool hash_matches, bool graded_before_opening) {
  return {.name = "commitment",
          .passed = hash_matches && graded_before_opening,
          .detail = !hash_matches          ? "the opened blinding map is not the one committed to"
                    : !graded_before_opening ? "a grade is dated after the blinding was opened"
                                             : "the blinding map is the one committed to"};
}

Control completeness_control(std::uint64_t planned, std::uint64_t present_or_excused) {
  return {.name = "completeness",
          .passed = planned == present_or_excused,
          .detail = fmt::format("{} of {} planned grades present or excused", present_or_excused, planned)};
}

double guess_advantage(std::span<const double> a, std::span<const double> b) {
  CHECK(!a.empty() && !b.empty());
  double wins = 0;
  for (const double x : a) {
    for (const double y : b) wins += x > y ? 1 : x == y ? 0.5 : 0;
  }
  return wins / static_cast<double>(a.size() * b.size()) - 0.5;
}

Json controls_json(std::span<const Control> controls) {
  Json out = Json::array();
  for (const Control& control : controls) {
    out.push(Json::object({{"name", control.name}, {"passed", control.passed}, {"detail", control.detail}}));
  }
  return out;
}

}  // namespace hearth::eval
