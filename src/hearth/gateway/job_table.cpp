#include "hearth/gateway/job_table.h"

#include <algorithm>
#include <string>

namespace hearth::gateway {
namespace {

constexpr Duration busy_retry_after = std::chrono::seconds(5);

Instant now() { return std::chrono::steady_clock::now(); }

}  // namespace

JobTable::~JobTable() {
  stop_.request_stop();
  entries_.clear();
}

std::size_t JobTable::jobs() const {
  const std::lock_guard hold(mutex_);
  return static_cast<std::size_t>(
      std::ranges::count_if(entries_, [](const Entry& e) { return !e.job->is_over(); }));
}

std::list<JobTable::Entry> JobTable::sweep() {
  std::list<Entry> done;
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto next = std::next(it);
    if (it->job->is_done_with(now(), limits_.grace)) done.splice(done.end(), entries_, it);
    it = next;
  }
  return done;
}

std::unique_ptr<Attachment> JobTable::find(const Digest256& key, bool has_session) {
  std::list<Entry> done;
  const std::lock_guard hold(mutex_);
  done = sweep();
  for (const Entry& entry : entries_) {
    if (entry.key != key || entry.job->was_delivered()) continue;
    if (!has_session && entry.job->is_read()) continue;
    return std::make_unique<Attachment>(entry.job);
  }
  return nullptr;
}

ApiResult<std::unique_ptr<Attachment>> JobTable::start(std::optional<Digest256> key,
                                                       AnswerInfo info,
                                                       std::uint32_t prompt_tokens, Work work) {
  std::list<Entry> done;
  const std::lock_guard hold(mutex_);
  done = sweep();
  const auto running = static_cast<std::size_t>(
      std::ranges::count_if(entries_, [](const Entry& e) { return !e.job->is_over(); }));
  const auto busy = [&](std::string message) {
    return std::unexpected(ApiError{.kind = ApiError::Kind::overloaded,
                                    .message = std::move(message),
                                    .retry_after = busy_retry_after});
  };
  if (running >= limits_.jobs_max) {
    return busy(std::to_string(running) + " requests are running or waiting already; try again later");
  }
  const auto job = std::make_shared<AnswerJob>(std::move(info), prompt_tokens, now());
  auto attachment = std::make_unique<Attachment>(job);
  auto thread = Thread::start("answer", [job, work = std::move(work), stop = stop_.token()] {
    work(*job, stop);
  });
  if (!thread) return busy(thread.error().message);
  entries_.push_back({key, job, *std::move(thread)});
  return attachment;
}

}  // namespace hearth::gateway
