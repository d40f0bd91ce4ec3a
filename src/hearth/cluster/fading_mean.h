#pragma once
// A rate as it is now: a mean in which each observation counts less than the next, with the spread
// of what was seen. One wild value cannot move it far; a change that stays is followed within
// some ten observations.
//
// A value; no clock: callers say what time it is.

#include <cstdint>
#include <optional>

#include "hearth/base/clock.h"
#include "hearth/base/json.h"
#include "hearth/base/result.h"

namespace hearth::cluster {

// A machine that nobody has seen work for so long may have become another one.
inline constexpr Duration rate_age_max = std::chrono::hours(24 * 30);

struct Estimate {
  double value = 0;
  double spread = 0;  // one standard deviation
};

class FadingMean {
 public:
  // Values that are not finite and positive are ignored.
  void observe(double value, Instant now);
  // Nothing before the first observation and after rate_age_max without one.
  std::optional<Estimate> at(Instant now) const;

  double mean() const { return mean_; }
  std::uint32_t count() const { return count_; }
  Instant last() const { return last_; }
  // Wide while little was seen.
  double spread() const;

  // Ages are durations: no clock reading survives its process. Time spent switched off is not age.
  Json to_json(Instant now) const;
  // `path` names the object in error messages.
  static Result<FadingMean> from_json(const Json& json, std::string_view path, Instant now);

 private:
  double mean_ = 0, variance_ = 0;
  std::uint32_t count_ = 0;
  Instant last_{};
};

}  // namespace hearth::cluster
