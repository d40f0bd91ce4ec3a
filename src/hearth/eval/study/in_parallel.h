#pragma once
// Jobs done by a few threads ("eval_call"), their results kept by the caller's thread, one at a time and
// as they come. The first failure stops what is under way; what was finished by then is still kept.

#include <atomic>
#include <span>
#include <utility>
#include <vector>

#include "hearth/base/bounded_queue.h"
#include "hearth/base/result.h"
#include "hearth/base/stop.h"
#include "hearth/base/thread.h"

namespace hearth::eval {

// Done do(const Job&, const StopToken&) -> Result<Done>, on any thread.
// keep(const Job&, Done) -> Result<>, on this thread. With one thread, or one job, all is done here.
template <class Done, class Job, class Do, class Keep>
Result<> in_parallel(std::span<const Job> jobs, std::size_t threads, const StopToken& stop, Do do_job, Keep keep) {
  if (threads <= 1 || jobs.size() <= 1) {
    for (const Job& job : jobs) {
      if (stop.stop_requested()) return fail(Code::cancelled, "stopped");
      Result<Done> done = do_job(job, stop);
      if (!done) return std::unexpected(std::move(done).error());
      TRY(keep(job, *std::move(done)));
    }
    return {};
  }
  StopSource failed;
  const StopCallback from_outside(stop, [&] { failed.request_stop(); });
  std::atomic<std::size_t> next{0};
  BoundedQueue<std::pair<std::size_t, Result<Done>>> results(threads);
  std::atomic<std::size_t> running{std::min(threads, jobs.size())};
  std::vector<Thread> pool;
  const std::size_t count = running;
  for (std::size_t t = 0; t < count; ++t) {
    pool.emplace_back("eval_call", [&] {
      while (!failed.stop_requested()) {
        const std::size_t i = next.fetch_add(1);
        if (i >= jobs.size()) break;
        results.push({i, do_job(jobs[i], failed.token())}, Deadline::never());
      }
      if (running.fetch_sub(1) == 1) results.close();
    });
  }
  Result<> out;
  while (auto result = results.pop(Deadline::never())) {
    Result<> kept;
    if (!result->second) {
      kept = std::unexpected(std::move(result->second).error());
    } else {
      kept = keep(jobs[result->first], *std::move(result->second));
    }
    if (kept) continue;
    // What others fail with after a stop is only that they were stopped.
    if (out) out = std::move(kept);
    failed.request_stop();
  }
  pool.clear();
  if (out && stop.stop_requested()) return fail(Code::cancelled, "stopped");
  return out;
}

}  // namespace hearth::eval
