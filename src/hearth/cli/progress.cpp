#include "hearth/cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace hearth::cli {
namespace {

constexpr Duration silent_time = std::chrono::seconds(2);
constexpr Duration terminal_interval = std::chrono::milliseconds(100);
constexpr Duration plain_interval = std::chrono::seconds(5);

}  // namespace

Progress::Progress(bool quiet) : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1) {}

void Progress::update(std::string_view what, double fraction) {
  if (quiet_) return;
  const std::lock_guard hold(mutex_);
  const Instant now = std::chrono::steady_clock::now();
  if (what != what_) {
    what_ = what;
    began_ = now;
  }
  const Duration interval = terminal_ ? terminal_interval : plain_interval;
  if (now - began_ < silent_time || now - last_shown_ < interval) return;
  last_shown_ = now;
  const std::string line = fmt::format("{} {:3.0f} %  {:.0f} s", what, 100 * fraction, seconds(now - began_));
  if (terminal_) {
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
    line_open_ = true;
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
}

void Progress::clear() {
  const std::lock_guard hold(mutex_);
  if (line_open_) std::fputs("\r\033[K", stderr);
  line_open_ = false;
  what_.clear();
}

}  // namespace hearth::cli
