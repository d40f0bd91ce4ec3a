#include "hearth/eval/study/in_parallel.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "hearth/base/bounded_queue.h"
#include "hearth/base/thread.h"

namespace hearth::eval {

Result<> in_parallel(std::size_t jobs, std::size_t threads, const StopToken& stop,
                     const std::function<Keep(std::size_t)>& do_job) {
  if (threads <= 1 || jobs <= 1) {
    for (std::size_t i = 0; i < jobs; ++i) {
      if (stop.stop_requested()) return fail(Code::cancelled, "stopped");
      TRY(do_job(i)());
    }
    return {};
  }
  const std::size_t count = std::min(threads, jobs);
  std::atomic<bool> failed{false};
  std::atomic<std::size_t> next{0}, running{count};
  BoundedQueue<Keep> results(count);
  const auto work = [&] {
    while (!failed && !stop.stop_requested()) {
      const std::size_t i = next.fetch_add(1);
      if (i >= jobs) break;
      results.push(do_job(i), Deadline::never());
    }
    if (running.fetch_sub(1) == 1) results.close();
  };
  std::vector<Thread> pool;
  for (std::size_t t = 0; t < count; ++t) pool.push_back(Thread("eval_call", work));
  Result<> out;
  while (auto keep = results.pop(Deadline::never())) {
    Result<> kept = (*keep)();
    if (kept) continue;
    if (out) out = std::move(kept);  // the first one is told
    failed = true;
  }
  pool.clear();
  if (out && stop.stop_requested()) return fail(Code::cancelled, "stopped");
  return out;
}

}  // namespace hearth::eval
