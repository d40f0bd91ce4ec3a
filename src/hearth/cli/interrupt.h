#pragma once
// Ctrl-C and SIGTERM as a StopToken. The first asks; a second signal ends the process at once.
// Create it first thing in main, before any other thread: it blocks the signals for all of them.

#include <functional>
#include <mutex>

#include "hearth/base/stop.h"
#include "hearth/base/thread.h"

namespace hearth::cli {

// Waits until standard input ends, or for `stop`.
void wait_for_end_of_input(const StopToken& stop);

class InterruptWatcher {
 public:
  // `with_input`: the end of standard input asks too, for programs that end with whoever started them.
  explicit InterruptWatcher(bool with_input = false);
  ~InterruptWatcher();
  StopToken token() const { return source_.token(); }
  // While one is set, Ctrl-C calls it, on the watcher's thread, and nothing else happens: it ends what
  // is being done, not the program. Empty: as before. SIGTERM and SIGHUP always end the program.
  void set_catcher(std::function<void()> catcher);

 private:
  bool caught(int number);

  StopSource source_;
  std::mutex mutex_;  // catcher_, while it is called too
  std::function<void()> catcher_;
  StopSource leave_;
  Thread thread_, input_thread_;
};

}  // namespace hearth::cli
