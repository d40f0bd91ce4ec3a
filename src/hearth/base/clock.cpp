#include "hearth/base/clock.h"

#include <algorithm>
#include <limits>

namespace hearth {

int Deadline::poll_timeout_ms() const {
  if (is_never()) return -1;
  const auto left = when_ - std::chrono::steady_clock::now();
  if (left <= Duration::zero()) return 0;
  const auto left_ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::min<long long>(left_ms, std::numeric_limits<int>::max()));
}

}  // namespace hearth
