#include "hearth/cluster/watchdog.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::cluster {

const char* stall_part_name(Stall::Part part) { return part == Stall::Part::process ? "worker" : "engine"; }

std::string stall_text(const Stall& stall, Instant now) {
  const double lasted_s = seconds(now - stall.since);
  if (stall.part == Stall::Part::process) return fmt::format("it has not answered for {:.1f} s", lasted_s);
  return fmt::format("its engine has been in one step for {:.1f} s; the longest before took {:.1f} s", lasted_s,
                     seconds(stall.longest_step));
}

void Watchdog::on_answer(Duration step, Instant now) {
  // What began since the last answer is another step than that of the last answer, which has ended.
  if (now - step > heard_) longest_step_ = std::max(longest_step_, step_);
  heard_ = now;
  step_ = step;
  ask_at_ = now + parameters_.interval;
}

std::optional<std::string> Watchdog::fault(Instant now) const {
  if (now - heard_ >= parameters_.silence_max) {
    return fmt::format("hung: it did not answer for {:.1f} s", seconds(now - heard_));
  }
  if (step_ >= parameters_.step_max) {
    return fmt::format("hung: its engine has been in one step for {:.1f} s", seconds(step_));
  }
  return {};
}

Duration Watchdog::step_bound() const {
  return std::max(parameters_.step_usual_max, parameters_.step_growth_max * longest_step_);
}

std::optional<Stall> Watchdog::stall(Instant now) const {
  if (now - heard_ >= parameters_.quiet_max) {
    return Stall{.part = Stall::Part::process, .since = heard_, .longest_step = longest_step_};
  }
  if (step_ >= step_bound()) {
    return Stall{.part = Stall::Part::engine, .since = heard_ - step_, .longest_step = longest_step_};
  }
  return {};
}

}  // namespace hearth::cluster
