#pragma once
// Whether to try again after a service failed, and when. Faults of engine and network are tried again
// and never scored; what the service refuses for good ends the run, which can be resumed. Pure.

#include <cstdint>
#include <optional>

#include "hearth/chat/exchange.h"

namespace hearth::eval {

struct RetryPolicy {
  std::uint32_t tries_max = 6;
  Duration first_pause = std::chrono::seconds(1);
  Duration pause_max = std::chrono::minutes(2);
};

// The pause before another try, doubling and at least what the service asked for; nothing: give up.
inline std::optional<Duration> pause_before_retry(const chat::ApiError& error, std::uint32_t tries,
                                                  const RetryPolicy& policy) {
  using Kind = chat::ApiError::Kind;
  const bool may_pass = error.may_pass || error.kind == Kind::rate_limit || error.kind == Kind::overloaded ||
                        error.kind == Kind::timed_out || error.kind == Kind::internal;
  if (!may_pass || tries >= policy.tries_max) return {};
  Duration pause = policy.first_pause;
  for (std::uint32_t i = 1; i < tries && pause < policy.pause_max; ++i) pause *= 2;
  pause = std::min(pause, policy.pause_max);
  return error.retry_after ? std::max(pause, *error.retry_after) : pause;
}

}  // namespace hearth::eval
