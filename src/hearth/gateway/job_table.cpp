#include "hearth/gateway/job_table.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

namespace hearth::gateway {
namespace {

constexpr Duration busy_retry_after = std::chrono::seconds(5);

Instant now() { return std::chrono::steady_clock::now(); }

}  // namespace

JobTable::~JobTable() {
  stop_.request_stop();
  entries_.clear();
  leaving_.clear();
}

std::size_t JobTable::count_running() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(entries_, [](const Entry& e) { return !e.job->state().over; }));
}

std::size_t JobTable::jobs() const {
  const std::lock_guard hold(mutex_);
  return count_running();
}

JobTable::Reading JobTable::reading() const {
  Reading out;
  const std::lock_guard hold(mutex_);
  for (const Entry& entry : entries_) {
    const PromptRead read = entry.job->prompt_read();
    if (!read.is_being_read()) continue;
    out.tokens_done += read.tokens_done;
    out.tokens_total += read.tokens_total;
  }
  return out;
}

std::vector<AnswerJob::Course> JobTable::courses() const {
  std::vector<AnswerJob::Course> out;
  const std::lock_guard hold(mutex_);
  for (const Entry& entry : entries_) {
    if (const auto course = entry.job->course()) out.push_back(*course);
  }
  return out;
}

bool JobTable::is_done_with(const Entry& entry, Instant at) const {
  const AnswerJob::State job = entry.job->state();
  if (!job.over || job.read) return false;
  if (job.failed || job.delivered_whole) return true;
  if (job.delivered_stream && !(entry.request && entry.request->has_session)) return true;
  return at - job.unread_since >= limits_.grace;
}

JobTable::Entries JobTable::sweep() {
  const Instant at = now();
  std::size_t finished = 0;
  for (auto it = entries_.end(); it != entries_.begin();) {  // the newest first
    --it;
    bool over = is_done_with(*it, at);
    if (const AnswerJob::State job = it->job->state(); !over && job.over && !job.read) {
      over = ++finished > limits_.finished_max;
    }
    if (!over) continue;
    const auto after = std::next(it);
    leaving_.splice(leaving_.end(), entries_, it);
    it = after;
  }
  Entries left;
  for (auto it = leaving_.begin(); it != leaving_.end();) {
    const auto one = it++;
    if (*one->has_left) left.splice(left.end(), leaving_, one);
  }
  return left;
}

std::shared_ptr<AnswerJob> JobTable::find_same(const Repetition& request) const {
  for (const Entry& entry : entries_) {
    if (!entry.request || entry.request->key != request.key) continue;
    const AnswerJob::State job = entry.job->state();
    if (job.failed || job.delivered_whole) continue;
    if (job.delivered_stream && (request.stream || !request.has_session)) continue;
    if (job.read && !request.has_session) continue;
    return entry.job;
  }
  return nullptr;
}

std::unique_ptr<Attachment> JobTable::find(const Repetition& request) {
  Entries done;
  const std::lock_guard hold(mutex_);
  done = sweep();
  auto job = find_same(request);
  return job ? std::make_unique<Attachment>(std::move(job)) : nullptr;
}

ApiResult<JobTable::Started> JobTable::start(std::optional<Repetition> request, AnswerInfo info,
                                             std::uint32_t prompt_tokens, Work work) {
  Entries done;
  const std::lock_guard hold(mutex_);
  done = sweep();
  if (request) {
    if (auto same = find_same(*request)) return Started{std::make_unique<Attachment>(same), true};
  }
  const auto busy = [&](std::string message) {
    return std::unexpected(ApiError{.kind = ApiError::Kind::overloaded,
                                    .message = std::move(message),
                                    .retry_after = busy_retry_after});
  };
  const std::size_t running = count_running();
  if (running >= limits_.jobs_max || running + leaving_.size() >= 2 * limits_.jobs_max) {
    return busy(std::to_string(running) + " requests are running or waiting already; try again later");
  }
  const auto job = std::make_shared<AnswerJob>(std::move(info), prompt_tokens, now());
  auto attachment = std::make_unique<Attachment>(job);
  const auto has_left = std::make_shared<std::atomic<bool>>(false);
  auto thread = Thread::start("answer", [job, has_left, work = std::move(work), stop = stop_.token()] {
    work(*job, stop);
    *has_left = true;
  });
  if (!thread) return busy(thread.error().message);
  entries_.push_back({std::move(request), job, has_left, *std::move(thread)});
  return Started{std::move(attachment)};
}

}  // namespace hearth::gateway
