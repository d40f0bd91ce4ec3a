#pragma once
// Before the first generation: how many of them a margin needs, and what they cost in hours and
// money. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/eval/comparison.h"

namespace hearth::eval {

inline constexpr std::uint32_t planned_generations_max = 64;

struct StudyRequest {
  double margin = 0.03;
  double power = 0.8;        // wanted, at a true tie
  std::uint32_t prompts = 50;
  std::uint32_t classes = 5;
  NoiseModel noise;
  SequentialOptions options;
  bool one_look = false;     // all generations at once
  std::optional<std::uint32_t> generations;  // nothing: the fewest that reach the power

  std::uint32_t arms = 2;
  double answer_tokens = 5'000;
  double tokens_per_second = 10;
  double load_hours = 0;     // of an arm, each time it is loaded
  double graded_share = 1;   // of the generations that go to a judge
  double control_share = 0.5;  // further gradings, as a share of those
  double judge_input_tokens = 5'000;
  double judge_output_tokens = 800;
  double input_price = 0;    // for a million tokens
  double output_price = 0;
};

// What K generations can do in one look; for the table.
struct GenerationsRow {
  std::uint32_t generations = 0;
  double standard_error = 0;
  double resolvable_margin = 0;  // with the wanted power
  double power = 0;              // at the wanted margin and a true tie
  std::uint32_t prompts_needed = 0;
};

struct PowerPoint {
  double difference = 0;      // true
  double passes = 0;          // probability
  double generations = 0;     // expected
};

struct StudyPlan {
  StudyRequest request;
  std::vector<GenerationsRow> rows;
  bool is_reachable = false;  // some number of generations reaches the power
  std::uint32_t generations = 0;  // planned at most; planned_generations_max if not reachable
  std::optional<ComparisonPlan> comparison;
  std::vector<PowerPoint> points;
  double power = 0;           // at a tie, of the planned design
  double hours = 0, hours_expected = 0;  // at a tie where it says expected
  double gradings = 0, money = 0, money_expected = 0;
  std::string sentence;
};

// Looks at 2, 3, 5, 8, ... generations, and at the last.
std::vector<double> looks_up_to(std::uint32_t generations);

// invalid_argument, naming the field: numbers out of range.
Result<StudyPlan> plan_study(const StudyRequest& request);

Json study_plan_json(const StudyPlan& plan);

}  // namespace hearth::eval
