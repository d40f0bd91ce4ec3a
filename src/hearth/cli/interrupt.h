#pragma once
// Ctrl-C and SIGTERM as a StopToken. The first asks; a second ends the process at once.
// Create it first thing in main, before any other thread: it blocks the signals for all of them.

#include <functional>
#include <mutex>

#include "hearth/base/stop.h"
#include "hearth/base/thread.h"

namespace hearth::cli {

class InterruptWatcher {
 public:
  InterruptWatcher();
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
  Thread thread_;
};

}  // namespace hearth::cli
