#include "hearth/eval/chain/chain_report.h"

#include <fmt/format.h>

#include <cmath>

namespace hearth::eval {
namespace {

// Strata are numbered in the order of the seeds, whatever the order of the records.
std::map<std::uint64_t, std::uint32_t> strata(std::span<const ChainRecord> a,
                                              std::span<const ChainRecord> b) {
  std::map<std::uint64_t, std::uint32_t> out;
  for (const auto records : {a, b}) {
    for (const ChainRecord& record : records) out[record.seed] = 0;
  }
  std::uint32_t next = 0;
  for (auto& [seed, stratum] : out) stratum = next++;
  return out;
}

// A chain that was lost before its first call says nothing.
std::vector<Chain> chains_of(std::span<const ChainRecord> records,
                             const std::map<std::uint64_t, std::uint32_t>& strata) {
  std::vector<Chain> out;
  for (const ChainRecord& record : records) {
    if (record.outcome.depth == 0) continue;
    out.push_back({.depth = record.outcome.depth,
                   .failed = record.outcome.failed,
                   .stratum = strata.at(record.seed)});
  }
  return out;
}

std::vector<ForcedPoint> forced_points(std::span<const ForcedRecord> forced) {
  std::map<std::uint32_t, ForcedPoint> points;
  for (const ForcedRecord& record : forced) {
    if (record.error == ChainError::transport) continue;
    ForcedPoint& point = points[record.depth];
    point.depth = record.depth;
    ++point.asked;
    point.right += record.error == ChainError::none ? 1 : 0;
  }
  std::vector<ForcedPoint> out;
  for (const auto& [depth, point] : points) out.push_back(point);
  return out;
}

void add_self_conditioning(ChainArm& arm) {
  double log_product = 0;
  for (std::uint32_t depth = 0; depth < arm.forced.size(); ++depth) {
    const ForcedPoint& point = arm.forced[depth];
    const auto free = arm.survival.at(depth + 1);
    if (point.depth != depth || point.right == 0 || !free || free->survival <= 0) return;
    log_product += std::log(point.share());
    arm.self_conditioning = log_product - std::log(free->survival);
    arm.self_conditioning_depth = depth + 1;
  }
}

Json errors_json(const std::map<ChainError, std::uint32_t>& errors) {
  Json out = Json::object();
  for (const auto& [error, count] : errors) out.set(std::string(chain_error_name(error)), count);
  return out;
}

}  // namespace

Result<ChainArm> report_arm(std::string name, std::span<const ChainRecord> chains,
                            std::span<const ForcedRecord> forced) {
  ChainArm out{.name = std::move(name)};
  const std::vector<Chain> usable = chains_of(chains, strata(chains, {}));
  if (!usable.empty()) out.survival = TRY(kaplan_meier(usable));
  for (const ChainRecord& record : chains) {
    ++out.chains;
    if (record.outcome.failed) ++out.errors[record.outcome.error];
    else if (record.outcome.error == ChainError::transport) ++out.lost;
    else ++out.finished;
    for (const auto& [error, count] : record.outcome.recovered) out.recovered[error] += count;
  }
  if (out.lost > 0) out.errors[ChainError::transport] = out.lost;
  out.forced = forced_points(forced);
  for (const ForcedRecord& record : forced) {
    if (record.error != ChainError::none) ++out.forced_errors[record.error];
  }
  add_self_conditioning(out);
  return out;
}

Result<LogRank> compare_arms(std::span<const ChainRecord> candidate,
                             std::span<const ChainRecord> reference) {
  const auto tasks = strata(candidate, reference);
  return log_rank(chains_of(candidate, tasks), chains_of(reference, tasks));
}

std::string chain_sentence(const ChainArm& arm) {
  const auto eighth = arm.survival.at(eighth_call);
  if (!eighth) return fmt::format("{}: no chain got as far as the eighth call.", arm.name);
  const auto half_life = arm.survival.half_life();
  return fmt::format(
      "{} completes {} dependent calls with probability {:.2f} ({:.2f} to {:.2f}); {}.", arm.name,
      eighth_call, eighth->survival, eighth->low, eighth->high,
      half_life ? fmt::format("half-life {:.1f} calls", *half_life)
                : std::string("no chain failed"));
}

Json chain_arm_json(const ChainArm& arm) {
  Json survival = Json::array();
  for (const SurvivalPoint& point : arm.survival.points) {
    survival.push(Json::object({{"k", point.depth},
                                {"s", point.survival},
                                {"low", point.low},
                                {"high", point.high},
                                {"at_risk", point.at_risk},
                                {"failures", point.failures}}));
  }
  Json forced = Json::array();
  for (const ForcedPoint& point : arm.forced) {
    forced.push(
        Json::object({{"depth", point.depth}, {"asked", point.asked}, {"right", point.right}}));
  }
  const auto eighth = arm.survival.at(eighth_call);
  const auto half_life = arm.survival.half_life();
  const auto median = arm.survival.median();
  Json out = Json::object({{"arm", arm.name},
                           {"chains", arm.chains},
                           {"finished", arm.finished},
                           {"lost", arm.lost},
                           {"survival", std::move(survival)},
                           {"s8", eighth ? Json(eighth->survival) : Json()},
                           {"half_life", half_life ? Json(*half_life) : Json()},
                           {"median", median ? Json(*median) : Json()},
                           {"errors", errors_json(arm.errors)},
                           {"recovered", errors_json(arm.recovered)},
                           {"forced", std::move(forced)},
                           {"forced_errors", errors_json(arm.forced_errors)}});
  if (arm.survival.calls > 0) {
    out.set("hazard", arm.survival.hazard());
    out.set("hazard_early", arm.survival.hazard_up_to(eighth_call));
    out.set("hazard_late", arm.survival.hazard_after(eighth_call));
  }
  out.set("self_conditioning", arm.self_conditioning ? Json(*arm.self_conditioning) : Json());
  return out;
}

}  // namespace hearth::eval
