#include "hearth/gateway/answer_job.h"

#include <algorithm>
#include <utility>

namespace hearth::gateway {

AnswerJob::AnswerJob(AnswerInfo info, std::uint32_t prompt_tokens, Instant now)
    : info_(std::move(info)), unread_since_(now) {
  usage_.prompt_tokens = prompt_tokens;
}

// Readers are woken after the lock is given back: a reader that wakes to a taken lock sleeps again.
void AnswerJob::started(std::uint32_t cached_tokens) {
  {
    const std::lock_guard hold(mutex_);
    usage_.cached_tokens = cached_tokens;
    prompt_tokens_done_ = std::max(prompt_tokens_done_, cached_tokens);
    started_ = true;
  }
  changed_.notify_all();
}

void AnswerJob::progress(std::uint32_t prompt_tokens_done) {
  const std::lock_guard hold(mutex_);
  prompt_tokens_done_ = prompt_tokens_done;
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
  View out{.started = started_, .usage = usage_, .fresh = {}, .end = end_, .error = error_};
  out.fresh.assign(events_.begin() + static_cast<std::ptrdiff_t>(cursor), events_.end());
  return out;
}

AnswerJob::View AnswerJob::wait(std::size_t cursor, bool for_start, Deadline deadline,
                                const StopToken& stop) {
  const auto news = [&] {
    return events_.size() > cursor || end_ || error_ || (for_start && started_) ||
           stop.stop_requested();
  };
  {
    const std::lock_guard hold(mutex_);
    if (news()) return view(cursor);
  }
  return wait_until(changed_, news, cursor, deadline, stop);
}

AnswerJob::View AnswerJob::wait_for_end(Deadline deadline, const StopToken& stop) {
  const auto is_over = [&] { return end_ || error_ || stop.stop_requested(); };
  return wait_until(over_, is_over, 0, deadline, stop);
}

template <class Ready>
AnswerJob::View AnswerJob::wait_until(std::condition_variable& condition, Ready ready,
                                      std::size_t cursor, Deadline deadline,
                                      const StopToken& stop) {
  const StopCallback wake(stop, [&] {
    const std::lock_guard hold(mutex_);
    condition.notify_all();
  });
  std::unique_lock hold(mutex_);
  if (deadline.is_never()) {
    condition.wait(hold, ready);
  } else {
    condition.wait_until(hold, deadline.when(), ready);
  }
  return view(cursor);
}

void AnswerJob::attach() {
  const std::lock_guard hold(mutex_);
  ++readers_;
}

void AnswerJob::detach(Delivery delivery, Instant now) {
  const std::lock_guard hold(mutex_);
  --readers_;
  delivered_stream_ = delivered_stream_ || delivery == Delivery::stream;
  delivered_whole_ = delivered_whole_ || delivery == Delivery::whole;
  unread_since_ = now;
}

AnswerJob::State AnswerJob::state() const {
  const std::lock_guard hold(mutex_);
  return {.over = end_ || error_,
          .failed = error_.has_value(),
          .read = readers_ > 0,
          .delivered_stream = delivered_stream_,
          .delivered_whole = delivered_whole_,
          .unread_since = unread_since_};
}

std::uint32_t AnswerJob::prompt_tokens_done() const {
  const std::lock_guard hold(mutex_);
  return prompt_tokens_done_;
}

}  // namespace hearth::gateway
