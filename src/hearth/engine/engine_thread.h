#pragma once
// The thread that owns an Engine and its Scheduler. Other threads hand it work through bounded
// queues and get events back; they never touch the engine. Destruction stops the thread, ending
// every job with `unavailable`.

#include <atomic>
#include <functional>
#include <memory>

#include "hearth/base/bounded_queue.h"
#include "hearth/base/thread.h"
#include "hearth/engine/scheduler.h"

namespace hearth::engine {

inline constexpr std::size_t engine_commands_max = 256;
// KV and logits that nobody has read yet, of one job: about one chunk of a large model.
inline constexpr std::uint64_t unread_bytes_max = 64u << 20;

// The events of one job, from the engine thread to one reader. Bounded, by their number and by the
// bytes of KV and logits in them: when the reader is slow the job waits. The last event always fits,
// and so does one that alone is larger than the bound.
class JobChannel final : public JobSink {
 public:
  // `wake` tells the engine thread that there is room again.
  JobChannel(std::size_t capacity, std::function<void()> wake, std::uint64_t bytes_max = unread_bytes_max);
  bool has_room() override;
  void push(JobEvent event) override;
  // The next event; timed_out or cancelled when nothing comes. Reader's side, one thread.
  Result<JobEvent> next(Deadline deadline, const StopToken& stop);

 private:
  bool has_room_now() const;  // with the lock

  const std::size_t capacity_;
  const std::uint64_t bytes_max_;
  const std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable not_empty_;
  std::deque<JobEvent> events_;
  std::uint64_t bytes_ = 0;  // of KV and logits in them
};

// The answer to start_call, for one thread. Dropping it does not take the call back.
class PendingCall {
 public:
  // timed_out at the deadline: the call may still run.
  Result<> wait(Deadline deadline);

 private:
  friend class EngineThread;
  struct Reply {
    std::mutex mutex;
    std::condition_variable ready;
    std::optional<Result<>> result;
  };
  // Shared with the command; whoever comes second frees it.
  std::shared_ptr<Reply> reply_ = std::make_shared<Reply>();
};

class EngineThread {
 public:
  EngineThread(std::unique_ptr<Engine> engine, SchedulerOptions options);
  ~EngineThread();

  const Engine& engine() const { return *engine_; }  // for the calls marked "any thread"
  // How long the engine's thread has been in what it does now; zero while it waits for work. Any thread.
  Duration busy_for() const;

  // Any thread. Refusals are immediate; `stop` cancels the job.
  Result<std::shared_ptr<JobChannel>> generate(GenerateRequest request, StopToken stop);
  Result<std::shared_ptr<JobChannel>> prefill(PrefillRequest request, StopToken stop);
  Result<std::shared_ptr<JobChannel>> score(ScoreRequest request, StopToken stop);
  // Runs `use` on the engine thread between two steps and waits for its result.
  // unavailable when the thread is stopping, timed_out at the deadline (`use` may still run).
  Result<> call(std::function<Result<>(Scheduler&)> use, Deadline deadline);
  // The same without waiting: calls run in the order in which they were started. At most until
  // `deadline` it waits for room in the queue; then the answer is unavailable.
  PendingCall start_call(std::function<Result<>(Scheduler&)> use, Deadline deadline);

 private:
  using Command = std::function<void(Scheduler&)>;
  static constexpr Instant::rep idle_ = 0;
  template <class Request>
  Result<std::shared_ptr<JobChannel>> submit(Request request, std::size_t channel_events, StopToken stop);
  void run();
  void mark_begin();

  std::unique_ptr<Engine> engine_;
  SteadyClock clock_;
  std::atomic<Instant::rep> busy_since_{idle_};  // of Instant's clock
  const SchedulerOptions options_;
  BoundedQueue<Command> commands_{engine_commands_max};
  Thread thread_;
};

}  // namespace hearth::engine
