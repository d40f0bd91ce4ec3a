#include "hearth/cluster/supervisor.h"

#include <algorithm>
#include <utility>

#include "hearth/base/check.h"

namespace hearth::cluster {
namespace {

Duration pause_after(const SupervisorParameters& parameters, std::uint32_t ends_in_a_row) {
  if (ends_in_a_row <= 1) return Duration::zero();
  Duration pause = parameters.pause_first;
  for (std::uint32_t i = 2; i < ends_in_a_row && pause < parameters.pause_max; ++i) pause *= 2;
  return std::min(pause, parameters.pause_max);
}

}  // namespace

SupervisorAction Supervisor::next(Instant now) {
  if (state_ != State::down) return Watch{};
  if (lives_ > 0 && now < not_before_) return PauseUntil{not_before_};
  state_ = State::starting;
  started_ = now;
  return StartProcess{lives_++};
}

void Supervisor::on_running() {
  CHECK(state_ == State::starting);
  state_ = State::running;
}

void Supervisor::on_ended(std::string how, Instant now) {
  CHECK(state_ != State::down);
  const bool was_running = state_ == State::running;
  const Duration lived = now - started_;
  const bool lived_long = was_running && lived >= parameters_.long_life;
  ends_in_a_row_ = lived_long ? 1 : ends_in_a_row_ + 1;
  not_before_ = now + pause_after(parameters_, ends_in_a_row_);
  state_ = State::down;
  // The end of what a process printed says more than its beginning.
  if (how.size() > crash_text_bytes_max) how.erase(0, how.size() - crash_text_bytes_max);
  reports_.push_back({lives_ - 1, lived, was_running, std::move(how)});
  if (reports_.size() > crash_reports_max) reports_.pop_front();
}

}  // namespace hearth::cluster
