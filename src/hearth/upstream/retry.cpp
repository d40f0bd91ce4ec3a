#include "hearth/upstream/retry.h"

#include <algorithm>

namespace hearth::upstream {

std::optional<Duration> RetryPlan::after(const Failure& failure, bool given_out) {
  if (given_out || !failure.may_repeat || tries_left_ <= 0) return std::nullopt;
  if (failure.wait && *failure.wait > asked_wait_max) return std::nullopt;
  --tries_left_;
  if (failure.wait) return failure.wait;
  const double share = 1 - 0.25 * random_.uniform();
  const auto wait = std::chrono::duration_cast<Duration>(wait_ * share);
  wait_ = std::min(wait_ * 2, retry_wait_max);
  return wait;
}

}  // namespace hearth::upstream
