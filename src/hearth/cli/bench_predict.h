#pragma once
// What the planner expects of each case, before it is measured.

#include <map>

#include "hearth/base/stop.h"
#include "hearth/bench/rows.h"

namespace hearth::cli {

// `cluster`: a key of the catalogue or a file; `model`: likewise, or a GGUF file. Cases that the planner
// cannot predict are missing.
Result<std::map<bench::Case, bench::Predicted>> predict_cases(const std::string& cluster, const std::string& model, const std::vector<std::string>& quants,
                                                              const std::vector<bench::Case>& cases, const StopToken& stop);

Json predictions_json(const std::map<bench::Case, bench::Predicted>& predictions);
Result<std::map<bench::Case, bench::Predicted>> parse_predictions(const Json& json);

}  // namespace hearth::cli
