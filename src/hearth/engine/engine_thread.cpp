#include "hearth/engine/engine_thread.h"

#include <atomic>
#include <utility>

#include "hearth/base/check.h"

namespace hearth::engine {
namespace {

// A step pushes at most progress when it starts a job, state, progress, prompt-done, token and
// finished for one job.
constexpr std::size_t events_per_step_max = 6;
constexpr std::size_t channel_events_max = 64;
// Logits are large: the next slice waits until at most one is unread.
constexpr std::size_t score_events_max = events_per_step_max + 1;
// How long an idle engine thread sleeps before it looks for expired leases.
constexpr Duration idle_wait = std::chrono::seconds(1);
constexpr Duration submit_deadline = std::chrono::seconds(120);

bool is_last(const JobEvent& event) {
  return std::holds_alternative<Finished>(event) || std::holds_alternative<Error>(event);
}

// The parts that can be large; the others are bounded by their number.
std::uint64_t large_bytes(const JobEvent& event) {
  if (const auto* state = std::get_if<StateDone>(&event)) return state->blob.size();
  if (const auto* logits = std::get_if<LogitsDone>(&event)) return logits->rows.size() * sizeof(float);
  if (const auto* token = std::get_if<TokenDone>(&event)) return token->first_logits.size() * sizeof(float);
  return 0;
}

}  // namespace

JobChannel::JobChannel(std::size_t capacity, std::function<void()> wake, std::uint64_t bytes_max)
    : capacity_(capacity), bytes_max_(bytes_max), wake_(std::move(wake)) {
  CHECK(capacity_ > events_per_step_max && bytes_max_ > 0);
}

bool JobChannel::has_room_now() const {
  return events_.size() + events_per_step_max <= capacity_ && bytes_ < bytes_max_;
}

bool JobChannel::has_room() {
  const std::lock_guard hold(mutex_);
  return has_room_now();
}

void JobChannel::push(JobEvent event) {
  {
    const std::lock_guard hold(mutex_);
    // Progress is only worth its newest value.
    if (!events_.empty() && std::holds_alternative<PromptProgress>(event) &&
        std::holds_alternative<PromptProgress>(events_.back())) {
      events_.back() = std::move(event);
    } else {
      CHECK(events_.size() < capacity_ || is_last(event));
      bytes_ += large_bytes(event);
      events_.push_back(std::move(event));
    }
  }
  not_empty_.notify_one();
}

Result<JobEvent> JobChannel::next(Deadline deadline, const StopToken& stop) {
  const StopCallback wake_reader(stop, [this] {
    const std::lock_guard hold(mutex_);
    not_empty_.notify_all();
  });
  std::unique_lock hold(mutex_);
  const auto ready = [&] { return !events_.empty() || stop.stop_requested(); };
  if (deadline.is_never()) {
    not_empty_.wait(hold, ready);
  } else if (!not_empty_.wait_until(hold, deadline.when(), ready)) {
    return fail(Code::timed_out, "no event from the engine before the deadline");
  }
  if (events_.empty()) return fail(Code::cancelled, "the caller went away");
  const bool was_full = !has_room_now();
  JobEvent event = std::move(events_.front());
  events_.pop_front();
  bytes_ -= large_bytes(event);
  const bool is_to_wake = was_full && has_room_now();
  hold.unlock();
  if (is_to_wake) wake_();
  return event;
}

EngineThread::EngineThread(std::unique_ptr<Engine> engine, SchedulerOptions options)
    : engine_(std::move(engine)), options_(options), thread_("engine", [this] { run(); }) {}

EngineThread::~EngineThread() {
  commands_.close();
  thread_.join();
}

Duration EngineThread::busy_for() const {
  const Instant::rep since = busy_since_.load();
  return since == idle_ ? Duration::zero() : std::chrono::steady_clock::now() - Instant(Duration(since));
}

void EngineThread::mark_begin() {
  busy_since_ = std::chrono::steady_clock::now().time_since_epoch().count();
}

void EngineThread::run() {
  Scheduler scheduler(*engine_, clock_, options_);
  bool progress = true;
  while (true) {
    // With work at hand only look; without, sleep until a command or a slow reader wakes us.
    const bool busy = scheduler.has_work() && progress;
    busy_since_ = idle_;
    auto command = busy ? commands_.try_pop() : commands_.pop(Deadline::after(idle_wait));
    while (command) {
      mark_begin();
      (*command)(scheduler);
      command = commands_.try_pop();
    }
    if (commands_.closed_and_empty()) return;
    mark_begin();
    progress = scheduler.step();
  }
}

PendingCall EngineThread::start_call(std::function<Result<>(Scheduler&)> use, Deadline deadline) {
  PendingCall pending;
  const auto& reply = pending.reply_;
  Command command = [reply, use = std::move(use)](Scheduler& scheduler) {
    Result<> result = use(scheduler);
    const std::lock_guard hold(reply->mutex);
    reply->result = std::move(result);
    reply->ready.notify_all();
  };
  if (!commands_.push(std::move(command), deadline)) {
    reply->result = fail(Code::unavailable, "the engine is stopping or its command queue is full");
  }
  return pending;
}

Result<> PendingCall::wait(Deadline deadline) {
  std::unique_lock hold(reply_->mutex);
  const auto done = [&] { return reply_->result.has_value(); };
  if (deadline.is_never()) {
    reply_->ready.wait(hold, done);
  } else if (!reply_->ready.wait_until(hold, deadline.when(), done)) {
    return fail(Code::timed_out, "the engine did not answer before the deadline");
  }
  return *reply_->result;
}

Result<> EngineThread::call(std::function<Result<>(Scheduler&)> use, Deadline deadline) {
  return start_call(std::move(use), deadline).wait(deadline);
}

template <class Request>
Result<std::shared_ptr<JobChannel>> EngineThread::submit(Request request, std::size_t channel_events,
                                                               StopToken stop) {
  auto channel = std::make_shared<JobChannel>(channel_events, [this] {
    // A full queue means that the thread is awake anyway.
    commands_.try_push([](Scheduler&) {});
  });
  const auto shared = std::make_shared<Request>(std::move(request));  // std::function copies
  const auto given_up = std::make_shared<std::atomic<bool>>(false);
  const auto submitted = call(
      [shared, channel, stop, given_up](Scheduler& scheduler) -> Result<> {
        if (given_up->load()) return fail(Code::cancelled, "nobody waits for this job any more");
        return scheduler.submit(std::move(*shared), channel, stop);
      },
      Deadline::after(submit_deadline));
  if (submitted) return channel;
  given_up->store(true);
  return std::unexpected(submitted.error());
}

Result<std::shared_ptr<JobChannel>> EngineThread::generate(GenerateRequest request, StopToken stop) {
  return submit(std::move(request), channel_events_max, std::move(stop));
}

Result<std::shared_ptr<JobChannel>> EngineThread::prefill(PrefillRequest request, StopToken stop) {
  return submit(std::move(request), channel_events_max, std::move(stop));
}

Result<std::shared_ptr<JobChannel>> EngineThread::score(ScoreRequest request, StopToken stop) {
  return submit(std::move(request), score_events_max, std::move(stop));
}

}  // namespace hearth::engine
