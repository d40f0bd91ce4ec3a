#include "hearth/cluster/watchdog.h"

#include <fmt/format.h>

namespace hearth::cluster {

void Watchdog::on_answer(Duration step, Instant now) {
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

}  // namespace hearth::cluster
