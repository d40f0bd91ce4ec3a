#pragma once
// What hearth eval kl --json said, as evidence in a study: it speaks for an arm only if it compared
// exactly the two models that the study compares, by the digests of their weights. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "hearth/eval/decision.h"
#include "hearth/eval/study/arms_file.h"

namespace hearth::eval {

struct DivergenceEvidence {
  std::vector<DivergenceGate> gates;
  std::vector<std::string> ignored;  // results of other models: why, a sentence each

  bool empty() const { return gates.empty() && ignored.empty(); }
};

// Adds one result for the arm that it is said to be of. invalid_argument: no such arm, an arm that is
// compared with none, or JSON that hearth eval kl did not write.
Result<> add_divergence(DivergenceEvidence& evidence, const Json& result, const ArmsFile& file, std::string_view arm);

}  // namespace hearth::eval
