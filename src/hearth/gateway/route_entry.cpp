#include "hearth/gateway/route_entry.h"

#include <utility>

#include "hearth/gateway/answer_response.h"

namespace hearth::gateway {

void RouteEntry::refused(const ApiError& error) { record_.outcome = kind_name(error.kind); }

void RouteEntry::finish() {
  if (router_ == nullptr) return;
  record_.seconds = seconds(std::chrono::steady_clock::now() - began_);
  std::exchange(router_, nullptr)->finish(record_);
}

void RouteEntry::finish(const AnswerJob& job) {
  const AnswerJob::Outcome outcome = job.outcome();
  if (outcome.end) record_.outcome = reason_name(outcome.end->reason);
  if (outcome.error) record_.outcome = kind_name(outcome.error->kind);
  record_.prompt_tokens = outcome.usage.prompt_tokens;
  record_.cached_tokens = outcome.usage.cached_tokens;
  record_.answer_tokens = outcome.usage.answer_tokens;
  finish();
}

}  // namespace hearth::gateway
