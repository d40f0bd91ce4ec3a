#pragma once
// Statements about a cluster that an experiment can test: "adding the Sparks makes it slower".
// Recorded with what the planner itself expects, before anything is measured. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/plan/explain.h"

namespace hearth::plan {

enum class Metric : std::uint8_t { turn_s, ttft_s, prefill_tok_s, decode_tok_s };
enum class Direction : std::uint8_t { lower, higher, same };
std::string_view metric_name(Metric metric);
std::string_view direction_name(Direction direction);

struct Prediction {
  std::string text{};                   // as stated
  std::vector<std::string> machines{};  // whose presence is in question
  bool adding = true;                   // false: "without", "removing"
  bool unified = false;  // about one model over all machines, not about the best plan
  Metric metric = Metric::turn_s;
  Direction direction = Direction::higher;
  std::optional<double> size{};    // 0.2: by at least a fifth
  std::optional<double> before{};  // what the planner expects without, then with the change
  std::optional<double> after{};
  std::string planner_says{};  // "agrees", "disagrees", "cannot say"
};

// Understands: (adding | removing | with | without) MACHINES makes (it | prefill | decode | the
// first token) (faster | slower | no difference) [by N %]. Machine names of the cluster, or
// hardware words such as "the Sparks". invalid_argument says what was not understood, with an
// example.
Result<Prediction> parse_prediction(std::string_view text, const ClusterSpec& spec);

// Fills in what the planner expects for this question. Where it asks for one family and the machines that are left
// without the change have no plan of it, any family of theirs counts: a split is held against one machine alone.
void expect(Prediction& prediction, const Question& question);

// Did what went from `before` to `after` go as stated? Less than 2 % is no difference. Of numbers that the planner
// expects as of measured ones; `before` is above 0.
bool is_borne_out(Direction direction, std::optional<double> size, double before, double after);

Json prediction_json(const Prediction& prediction);
// The statement, metric, direction and size of what prediction_json wrote, and what the planner expected.
Result<Prediction> read_prediction(const Json& json);

}  // namespace hearth::plan
