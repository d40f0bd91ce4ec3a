#pragma once
// Chains of an arm, one after another, over any endpoint that takes tools: each asked for once, kept as
// soon as it has ended, and not asked for again. The driver around chain/chain_run.h.

#include <functional>
#include <optional>
#include <span>

#include "hearth/eval/chain/chain_report.h"
#include "hearth/eval/study/arms_file.h"
#include "hearth/eval/study/retry.h"
#include "hearth/eval/study/service.h"
#include "hearth/store/chains.h"

namespace hearth::eval {

struct ChainPlan {
  ChainOptions options;
  std::uint32_t chains = 96;     // worlds; S(8) to within 10 points wants 96
  std::uint64_t first_seed = 1;  // of the worlds; all arms have the same
  bool forced = false;           // also one teacher-forced call at each depth of each world
  std::uint32_t turn_tokens_max = 4'000;
  RetryPolicy retry;
};

chat::ChatRequest chain_request(const Arm& arm, const chat::Conversation& conversation,
                                std::uint32_t tokens_max, std::uint64_t world_seed,
                                std::uint32_t turn);

// Digest of all that a record of this arm depends on.
std::string chain_cell(const Arm& arm, const ChainPlan& plan);

// What there is no record of yet.
struct WantedChain {
  std::string key;
  std::uint64_t seed = 0;                    // of the world
  std::optional<std::uint32_t> forced_depth; // nothing: a whole chain
};
Result<std::vector<WantedChain>> wanted_chains(const Arm& arm, const ChainPlan& plan, const store::ChainStore& records);

struct ChainCourse {
  std::size_t done = 0, total = 0;  // of this call
  double cost_usd = 0;              // of all calls of this arm
};

// A service that is away or busy is asked again, by plan.retry; if that does not help, the run ends with
// unavailable and can be continued. What the service refuses for good (a prompt too long, a call that it
// cannot read) ends that chain, which is counted as lost, not as a mistake. Every call that cost money is
// recorded; resource_exhausted before a call that could exceed the arm's cap. A world holds nothing of
// anybody's, so it may go to a service outside.
Result<> run_chains(const Arm& arm, const ChainPlan& plan, std::span<const WantedChain> wanted, Service& service,
                    store::ChainStore& records, const std::function<void(const ChainCourse&)>& progress,
                    const StopToken& stop);

struct ChainRecords {
  std::vector<ChainRecord> chains;
  std::vector<ForcedRecord> forced;
};
Result<ChainRecords> read_chains(const store::ChainStore& records, const Arm& arm,
                                 const ChainPlan& plan);

}  // namespace hearth::eval
