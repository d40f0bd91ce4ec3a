#pragma once
// What many chains say of an arm, and of two arms: survival with its interval, hazard and half-life, which
// mistakes ended chains, and whether a model's own history hurts it. Pure.

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hearth/eval/chain/chain_run.h"
#include "hearth/eval/statistics/survival.h"

namespace hearth::eval {

// One chain of an arm, as it is kept.
struct ChainRecord {
  std::uint64_t seed = 0;  // of the world: the task
  ChainOutcome outcome;
};
// One teacher-forced call.
struct ForcedRecord {
  std::uint64_t seed = 0;
  std::uint32_t depth = 0;  // right calls before it
  ChainError error = ChainError::none;
};

struct ForcedPoint {
  std::uint32_t depth = 0;
  std::uint32_t asked = 0, right = 0;
  double share() const { return static_cast<double>(right) / asked; }
};

struct ChainArm {
  std::string name;
  Survival survival;
  std::uint32_t chains = 0, finished = 0, lost = 0;  // lost: to the transport; censored
  std::map<ChainError, std::uint32_t> errors;        // that ended chains
  std::map<ChainError, std::uint32_t> recovered;     // that were mended
  std::vector<ForcedPoint> forced;
  std::map<ChainError, std::uint32_t> forced_errors;
  // ln of the product of forced shares, minus ln of survival, at the last depth that both reach: positive
  // where a model's own mistakes and style make it worse. Nothing without forced calls at every depth.
  std::optional<double> self_conditioning;
  std::uint32_t self_conditioning_depth = 0;
};
Result<ChainArm> report_arm(std::string name, std::span<const ChainRecord> chains,
                            std::span<const ForcedRecord> forced);

// Stratified by task. `candidate` fails earlier when p_worse is small.
Result<LogRank> compare_arms(std::span<const ChainRecord> candidate,
                             std::span<const ChainRecord> reference);

inline constexpr std::uint32_t eighth_call = 8;
// "It completes 8 dependent calls with probability 0.51 (0.44 to 0.58); half-life 8.3 calls."
std::string chain_sentence(const ChainArm& arm);
Json chain_arm_json(const ChainArm& arm);

}  // namespace hearth::eval
