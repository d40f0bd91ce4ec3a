#pragma once
// Ctrl-C and SIGTERM as a StopToken. The first asks; a second ends the process at once.
// Create it first thing in main, before any other thread: it blocks the signals for all of them.

#include "hearth/base/stop.h"
#include "hearth/base/thread.h"

namespace hearth::cli {

// Waits until standard input ends, or for `stop`.
void wait_for_end_of_input(const StopToken& stop);

class InterruptWatcher {
 public:
  // `with_input`: the end of standard input is the first Ctrl-C, for programs that end with whoever
  // started them.
  explicit InterruptWatcher(bool with_input = false);
  ~InterruptWatcher();
  StopToken token() const { return source_.token(); }

 private:
  StopSource source_;
  StopSource leave_;
  Thread thread_, input_thread_;
};

}  // namespace hearth::cli
