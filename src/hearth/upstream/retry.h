#pragma once
// Whether a failed try is followed by another, and when. A request that may have been acted on is not
// repeated: once any of an answer was given out, there is no other try, so a turn that called a tool is
// never run twice. A pure state machine; private to upstream.
//
// Waiting as clients of the Anthropic API do: as the service asks for, else 0.5 s doubling to 8 s, less
// up to a quarter by chance.

#include <optional>

#include "hearth/base/random.h"
#include "hearth/upstream/codec.h"

namespace hearth::upstream {

inline constexpr Duration first_retry_wait = std::chrono::milliseconds(500);
inline constexpr Duration retry_wait_max = std::chrono::seconds(8);
// A service that asks for more patience than this: its client is told, and waits itself.
inline constexpr Duration asked_wait_max = std::chrono::seconds(30);

class RetryPlan {
 public:
  RetryPlan(int tries_max, std::uint64_t seed) : tries_left_(tries_max - 1), random_(seed) {}

  // How long to wait before the next try; nothing: the failure is final.
  std::optional<Duration> after(const Failure& failure, bool given_out);

 private:
  int tries_left_;
  Duration wait_ = first_retry_wait;
  Random random_;
};

}  // namespace hearth::upstream
