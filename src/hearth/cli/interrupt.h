#pragma once
// Ctrl-C and SIGTERM as a StopToken. The first asks; a second ends the process at once.
// Create it first thing in main, before any other thread: it blocks the signals for all of them.

#include "hearth/base/stop.h"
#include "hearth/base/thread.h"

namespace hearth::cli {

class InterruptWatcher {
 public:
  InterruptWatcher();
  ~InterruptWatcher();
  StopToken token() const { return source_.token(); }

 private:
  StopSource source_;
  Thread thread_;
};

}  // namespace hearth::cli
