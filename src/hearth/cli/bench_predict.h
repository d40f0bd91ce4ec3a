#pragma once
// What the planner expects of each target and case, before it is measured.

#include <map>
#include <string>
#include <vector>

#include "hearth/base/stop.h"
#include "hearth/bench/rows.h"
#include "hearth/cli/bench_targets.h"

namespace hearth::cli {

struct PredictWish {
  // "CLUSTER" for all targets, or "TARGET=CLUSTER": a key of the catalogue, a machine of it, or a file.
  std::vector<std::string> clusters;
  std::string model;  // a key of the catalogue or a GGUF file
  std::vector<std::string> quants, catalogs;
};

// By target and case; an empty target stands for all.
using Predictions = std::map<std::pair<std::string, bench::Case>, bench::Predicted>;

// A worker of our own is predicted as one machine alone, a pair as prefill and decode apart, a service by the best
// plan that an engine can run.
// What the planner cannot predict has the reason instead of numbers.
Result<Predictions> predict_cases(const PredictWish& wish, const std::vector<TargetName>& targets, const std::vector<bench::Case>& cases,
                                  const StopToken& stop);

const bench::Predicted* find_prediction(const Predictions& predictions, const std::string& target, const bench::Case& of);

Json predictions_json(const Predictions& predictions);
Result<Predictions> parse_predictions(const Json& json);

}  // namespace hearth::cli
