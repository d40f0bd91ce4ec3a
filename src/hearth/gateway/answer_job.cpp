#include "hearth/gateway/answer_job.h"

#include <algorithm>
#include <utility>

namespace hearth::gateway {
namespace {

// A step is short, so that a reader whose client has left, or that owes a heartbeat, notices.
constexpr Duration step_time_max = std::chrono::milliseconds(100);
// Readers that have taken no step for so long are busy: their clients read slowly.
constexpr Duration readers_patience = std::chrono::milliseconds(50);

Instant now() { return std::chrono::steady_clock::now(); }

Deadline step_deadline(Deadline wanted) {
  return Deadline::at(std::min(wanted.when(), now() + step_time_max));
}

}  // namespace

AnswerJob::AnswerJob(AnswerInfo info, std::uint32_t prompt_tokens, Instant now)
    : info_(std::move(info)), began_(now), prompt_read_{.tokens_total = prompt_tokens}, unread_since_(now) {
  usage_.prompt_tokens = prompt_tokens;
}

// Readers are woken after the lock is given back: a reader that wakes to a taken lock sleeps again.
void AnswerJob::started(std::uint32_t cached_tokens) {
  {
    const std::lock_guard hold(mutex_);
    usage_.cached_tokens = cached_tokens;
    prompt_read_.tokens_done = std::max(prompt_read_.tokens_done, cached_tokens);
    started_ = true;
  }
  changed_.notify_all();
}

void AnswerJob::progress(PromptRead read) {
  const std::lock_guard hold(mutex_);
  prompt_read_ = read;
}

void AnswerJob::add(std::vector<AnswerEvent> events) {
  if (events.empty()) return;
  {
    const std::lock_guard hold(mutex_);
    std::move(events.begin(), events.end(), std::back_inserter(events_));
    started_ = true;
  }
  changed_.notify_all();
}

chat::Message AnswerJob::turn() const {
  const std::lock_guard hold(mutex_);
  chat::Message out{.role = chat::Role::assistant};
  for (const AnswerEvent& event : events_) {
    switch (event.kind) {
      case AnswerEvent::Kind::thinking: out.thinking += event.text; break;
      case AnswerEvent::Kind::text: out.text += event.text; break;
      case AnswerEvent::Kind::call: out.calls.push_back({.id = event.id, .name = event.name, .arguments = {}, .raw_arguments = event.text}); break;
    }
  }
  return out;
}

void AnswerJob::ended(AnswerEnd end) {
  {
    const std::lock_guard hold(mutex_);
    usage_ = end.usage;
    end_ = std::move(end);
    started_ = true;
  }
  changed_.notify_all();
  over_.notify_all();
}

void AnswerJob::failed(ApiError error) {
  {
    const std::lock_guard hold(mutex_);
    error_ = std::move(error);
  }
  changed_.notify_all();
  over_.notify_all();
}

bool AnswerJob::abandon(Instant now, Duration grace) {
  {
    const std::lock_guard hold(mutex_);
    if (readers_ > 0 || now - unread_since_ < grace) return false;
    error_ = ApiError{.kind = ApiError::Kind::overloaded,
                      .message = "every client of this answer had left; send the request again",
                      .retry_after = Duration::zero()};
  }
  changed_.notify_all();
  over_.notify_all();
  return true;
}

AnswerJob::View AnswerJob::view(std::size_t cursor) const {
  View out{.started = started_, .usage = usage_, .prompt = reading(), .fresh = {}, .end = end_, .error = error_};
  out.fresh.assign(events_.begin() + static_cast<std::ptrdiff_t>(cursor), events_.end());
  return out;
}

void AnswerJob::drive(const Step& step) {
  std::unique_lock hold(mutex_);
  handed_on_ = false;
  step_ = &step;
  changed_.notify_all();
  over_.notify_all();
  while (!over() && !handed_on_) {
    const bool readers_busy = readers_ == 0 || now() - last_step_ >= readers_patience;
    if (may_step() && readers_busy) {
      take_step(hold, step_deadline(Deadline::never()));
    } else {
      turn_.wait_for(hold, readers_patience);
    }
  }
  turn_.wait(hold, [this] { return !stepping_; });
  step_ = nullptr;
}

void AnswerJob::take_step(std::unique_lock<std::mutex>& hold, Deadline deadline) {
  stepping_ = true;
  hold.unlock();
  (*step_)(deadline);
  hold.lock();
  stepping_ = false;
  last_step_ = now();
  if (over() || handed_on_) turn_.notify_one();
  changed_.notify_all();  // whoever waits may take the next one
  over_.notify_all();
}

AnswerJob::View AnswerJob::wait(std::size_t cursor, bool for_start, Deadline deadline,
                                const StopToken& stop) {
  const auto news = [&] {
    return events_.size() > cursor || over() || (for_start && started_) || stop.stop_requested();
  };
  return wait_until(changed_, news, cursor, deadline, stop);
}

AnswerJob::View AnswerJob::wait_for_end(Deadline deadline, const StopToken& stop) {
  return wait_until(over_, [&] { return over() || stop.stop_requested(); }, 0, deadline, stop);
}

template <class Ready>
AnswerJob::View AnswerJob::wait_until(std::condition_variable& condition, Ready ready,
                                      std::size_t cursor, Deadline deadline,
                                      const StopToken& stop) {
  std::optional<StopCallback> wake;
  std::unique_lock hold(mutex_);
  while (!ready() && !deadline.passed()) {
    if (may_step()) {
      take_step(hold, step_deadline(deadline));
    } else if (!wake) {
      hold.unlock();
      wake.emplace(stop, [&] {
        const std::lock_guard woken(mutex_);
        condition.notify_all();
      });
      hold.lock();
    } else if (deadline.is_never()) {
      condition.wait(hold);
    } else {
      condition.wait_until(hold, deadline.when());
    }
  }
  View out = view(cursor);
  hold.unlock();  // the callback's end may wait for one that waits for the lock
  return out;
}

void AnswerJob::attach() {
  const std::lock_guard hold(mutex_);
  ++readers_;
}

void AnswerJob::detach(Delivery delivery, Instant now) {
  const std::lock_guard hold(mutex_);
  if (--readers_ == 0) turn_.notify_one();
  delivered_stream_ = delivered_stream_ || delivery == Delivery::stream;
  delivered_whole_ = delivered_whole_ || delivery == Delivery::whole;
  unread_since_ = now;
}

AnswerJob::State AnswerJob::state() const {
  const std::lock_guard hold(mutex_);
  return {.over = over(),
          .failed = error_.has_value(),
          .read = readers_ > 0,
          .delivered_stream = delivered_stream_,
          .delivered_whole = delivered_whole_,
          .unread_since = unread_since_};
}

void AnswerJob::hand_on() {
  const std::lock_guard hold(mutex_);
  handed_on_ = true;
}

AnswerJob::Outcome AnswerJob::outcome() const {
  const std::lock_guard hold(mutex_);
  return {usage_, end_, error_};
}

void AnswerJob::set_route(std::string route) {
  const std::lock_guard hold(mutex_);
  route_ = std::move(route);
}

std::string AnswerJob::route() const {
  const std::lock_guard hold(mutex_);
  return route_;
}

std::optional<AnswerJob::Course> AnswerJob::course() const {
  const std::lock_guard hold(mutex_);
  if (over()) return {};
  Course out{.prompt_tokens = usage_.prompt_tokens, .began = began_};
  if (!events_.empty()) {
    out.stage = Course::Stage::writing;
    out.read_tokens = out.prompt_tokens;
  } else if (started_) {
    out.stage = Course::Stage::reading;
    out.read_tokens = std::min(prompt_read_.tokens_done, out.prompt_tokens);
  }
  return out;
}

PromptRead AnswerJob::prompt_read() const {
  const std::lock_guard hold(mutex_);
  return reading();
}

}  // namespace hearth::gateway
