#include "hearth/eval/study/divergence_evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "hearth/eval/kl/kl_report.h"

namespace hearth::eval {
namespace {

// Empty: it is that arm's model.
std::string mismatch(std::string_view role, const ModelMark& model, const Arm& arm) {
  if (arm.model_digest.empty()) {
    return fmt::format("arm {} states no model_digest (its {} model, {}, has {})", arm.name, role, model.name,
                       model.weights);
  }
  if (arm.model_digest == model.weights) return "";
  return fmt::format("its {} model is {} with digest {}, and arm {} is {}", role, model.name, model.weights, arm.name,
                     arm.model_digest);
}

Result<ModelMark> model_of(const Json& result, std::string_view role) {
  const Json* model = result.find(role);
  if (!model) {
    return fail(Code::invalid_argument,
                fmt::format("\"{}\" is missing: expected what hearth eval kl --json prints", role));
  }
  return model_mark_from_json(*model);
}

}  // namespace

Result<> add_divergence(DivergenceEvidence& evidence, const Json& result, const ArmsFile& file, std::string_view arm) {
  const auto found = std::ranges::find(file.arms, arm, &Arm::name);
  if (found == file.arms.end()) {
    return fail(Code::invalid_argument, fmt::format("the study has no arm {}", arm));
  }
  if (found == file.arms.begin()) {
    return fail(Code::invalid_argument, fmt::format("arm {} is the largest: it is compared with none", arm));
  }
  const ModelMark base = TRY(model_of(result, "base")), candidate = TRY(model_of(result, "candidate"));
  const std::string verdict = TRY(get<std::string>(result, "verdict"));
  std::string why = mismatch("base", base, *std::prev(found));
  if (std::string other = mismatch("candidate", candidate, *found); !other.empty()) {
    why += (why.empty() ? "" : "; ") + other;
  }
  if (!why.empty()) {
    evidence.ignored.push_back(fmt::format("the KL result given for {} does not belong to this study: {}", arm, why));
    return {};
  }
  evidence.gates.push_back(
      {.candidate = found->name, .passed = verdict == kl_verdict_name(KlVerdict::equivalent)});
  return {};
}

}  // namespace hearth::eval
