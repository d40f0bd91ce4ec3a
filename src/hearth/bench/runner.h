#pragma once
// Runs what a schedule says against targets, and replays traces. Every sample goes to the sink at once,
// so that whatever ends a run, what was measured is kept.
//
// Blocking; threads "bench" of its own, one a stream. Errors: cancelled, what the sink says, and
// unavailable when no target answers even the first question.

#include <functional>
#include <map>
#include <span>
#include <tuple>

#include "hearth/bench/schedule.h"
#include "hearth/bench/target.h"
#include "hearth/bench/trace.h"

namespace hearth::bench {

inline constexpr std::uint32_t streams_max = 256;

// Requests that were measured before, by what they were: of a run that goes on they are not repeated.
class Done {
 public:
  void add(const Sample& sample) { ++counts_[{sample.target, sample.of.workload == "fixed" ? sample.of : Case{.workload = sample.of.workload}, sample.repeat}]; }
  bool has(const std::string& target, const Case& of, std::uint32_t repeat) const {
    const auto found = counts_.find({target, of, repeat});
    return found != counts_.end() && found->second >= of.streams;
  }
  bool empty() const { return counts_.empty(); }

 private:
  std::map<std::tuple<std::string, Case, std::uint32_t>, std::uint32_t> counts_;
};

struct RunPlan {
  std::vector<Case> cases;
  std::uint32_t warm_ups = 1, repeats = 5;
  std::uint64_t seed = 1;
  Duration request_time_max = std::chrono::minutes(60);
  Done done;
};

struct ReplayPlan {
  std::string name;  // of the workload
  std::vector<TraceRow> rows;
  std::uint32_t block_tokens = block_tokens_default;
  double speed = 1;                  // 2: twice as fast; 0: without waiting
  std::uint32_t in_flight_max = 16;  // beyond it requests are late, and say so
  std::uint64_t seed = 1;            // another one: other text, so nothing is cached from before
  Duration request_time_max = std::chrono::minutes(60);
  Done done;
};

struct RunHooks {
  // All that belong together, so that a run that goes on finds all of them or none. One call at a time.
  std::function<Result<>(std::span<const Sample>)> sink;
  std::function<void(std::string_view what, double share)> progress;
  std::function<std::optional<double>()> energy_j;          // a counter that grows; may be empty
  // False: what is measured is no longer what it was, and the run is void (corrupt, with the reason).
  std::function<Result<>()> still_the_same;
};

Result<> run_cases(const std::vector<Target*>& targets, const RunPlan& plan, const RunHooks& hooks, const StopToken& stop);
Result<> replay(const std::vector<Target*>& targets, const ReplayPlan& plan, const RunHooks& hooks, const StopToken& stop);

// How many bytes of our text are a token there, by the server's own counts; 4 where it tells none.
Result<double> bytes_per_token(Target& target, std::uint64_t seed, Duration time_max, const StopToken& stop);

}  // namespace hearth::bench
