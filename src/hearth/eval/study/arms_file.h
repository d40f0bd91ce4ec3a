#pragma once
// arms.toml: the arms of a study, its judge, and what is decided by: docs/eval_run.md. Where services are
// is said as in hearth.toml, by [[upstream]] tables, which arms and judges name. A value; pure.
//
// Arms stand from the largest to the smallest; each is compared with the one before it. All that could
// change an answer is pinned here and sent with every request, never left to a service's default.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/eval/comparison.h"
#include "hearth/upstream/endpoint.h"

namespace hearth::eval {

inline constexpr std::size_t arms_max = 16;
inline constexpr std::uint32_t study_generations_max = 64;

struct Arm {
  std::string name;  // "Q8": how reports call it
  upstream::EndpointSpec endpoint;
  std::string quantisation;  // exactly: "UD-Q8_K_XL"
  std::string model_digest, engine_build, topology;  // stated, where the endpoint does not tell
  std::optional<double> temperature, top_p, min_p;
  std::optional<std::uint32_t> top_k;
  std::optional<bool> thinking;
  std::uint32_t thinking_tokens = 0;  // on top of an item's limit
  // Generation k of an item has the same seed in every arm; nothing: none is sent.
  std::optional<std::uint64_t> seed;
  std::uint32_t parallel = 1;  // requests at a time
  // A program that makes the endpoint be there, for arms that do not fit together: started before the
  // arm's generations and ended after them. Empty: it is there already.
  std::vector<std::string> start;
  double start_seconds_max = 1'800;
  double money_max_usd = 0;  // 0: it costs nothing

  Json pinned_json() const;  // what its records depend on
  Digest256 digest() const;
};

struct JudgeSpec {
  bool is_person = false;  // hearth eval grade; then the rest does not matter
  upstream::EndpointSpec endpoint;
  std::optional<bool> thinking;
  std::uint32_t repeats = 1;
  std::uint32_t tokens_max = 4'000;  // of a reply, thinking included
  std::uint32_t tries_max = 3;  // of a reply that is no grade
  std::uint32_t parallel = 1;
  double money_max_usd = 0;  // 0: it costs nothing, or nobody minds

  Json pinned_json() const;
  // Of endpoint, model, parameters and the wording: grades of two are never mixed.
  std::string id() const;
};

struct StudySettings {
  double margin = 0.03;
  bool margin_is_relative = false;
  std::uint32_t generations = 8;  // of each prompt and arm, at most
  std::vector<double> looks;  // empty: 2, 3, 5, 8, ... and the last
  NoiseModel noise = near_copies();
  SequentialOptions options;
  std::map<std::string, double> class_weights;
  bool divergence_decides = false;  // the gate of hearth eval kl is a way to pass
  std::uint64_t seed = 1;  // of resamples and control texts
  std::uint32_t control_texts = 50;  // reference answers that become damaged, padded, ... ones
};

struct ArmsFile {
  StudySettings settings;
  std::vector<Arm> arms;
  std::optional<JudgeSpec> judge, second_judge;

  const Arm* find(std::string_view name) const;
  // Are they copies of one model (then an answer must not show which), or different models?
  bool are_copies() const;
  // Words that must not reach a judge.
  std::vector<std::string> secrets() const;
};

// invalid_argument with all that is wrong, a line each: "name:line: what, what was expected".
Result<ArmsFile> parse_arms(std::string_view toml, std::string_view name);

Result<ComparisonPlan> comparison_plan(const StudySettings& settings);

}  // namespace hearth::eval
