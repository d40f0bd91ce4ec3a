#pragma once
// The calendar's time, for records and people. It may jump: nothing is measured by it (clock.h).

#include <chrono>
#include <cstdint>

namespace hearth {

// Seconds since 1970.
inline std::int64_t unix_time_s() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()).time_since_epoch().count();
}

}  // namespace hearth
