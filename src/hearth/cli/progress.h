#pragma once
// Progress of long work on standard error: one line that rewrites itself on a terminal, a line
// every few seconds elsewhere. Silent for work that is over within two seconds. One thread at a
// time; cheap to call often.

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>

#include "hearth/base/clock.h"

namespace hearth::cli {

class Progress {
 public:
  explicit Progress(bool quiet = false);
  ~Progress() { clear(); }
  void update(std::string_view what, double fraction);
  // Before anything else is printed.
  void clear();

 private:
  std::mutex mutex_;  // loading and prefill report from different threads
  const bool quiet_;
  const bool terminal_;
  std::string what_;
  Instant began_{};
  Instant last_shown_{};
  bool line_open_ = false;
};

}  // namespace hearth::cli
