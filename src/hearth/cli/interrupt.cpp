#include "hearth/cli/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <utility>

#include "hearth/cli/command_line.h"

namespace hearth::cli {
namespace {

// Wakes the watcher when it is no longer needed; nobody else sends this one to ourselves.
constexpr int leave_signal = SIGUSR2;

sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, leave_signal}) sigaddset(&set, number);
  return set;
}

}  // namespace

void wait_for_end_of_input(const StopToken& stop) {
  const StopDescriptor stopped(stop);
  while (!stop.stop_requested()) {
    pollfd waits[2] = {{STDIN_FILENO, POLLIN, 0}, {stopped.fd(), POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0) continue;
    char ignored[256];
    if ((waits[0].revents & (POLLIN | POLLHUP)) != 0 &&
        ::read(STDIN_FILENO, ignored, sizeof(ignored)) <= 0) {
      return;
    }
  }
}

InterruptWatcher::InterruptWatcher(bool with_input) {
  ::signal(SIGPIPE, SIG_IGN);
  const sigset_t set = watched_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = Thread("signals", [this] {
    const sigset_t watched = watched_signals();
    int number = 0;
    bool was_asked = false;  // by a signal: whoever closes our input often sends one at the same moment
    while (::sigwait(&watched, &number) == 0) {
      if (number == leave_signal) return;
      if (caught(number)) continue;
      if (std::exchange(was_asked, true)) ::_exit(exit_interrupted);
      source_.request_stop();
    }
  });
  if (!with_input) return;
  input_thread_ = Thread("input_watch", [this] {
    wait_for_end_of_input(leave_.token());
    if (!leave_.stop_requested()) source_.request_stop();
  });
}

void InterruptWatcher::set_catcher(std::function<void()> catcher) {
  const std::lock_guard hold(mutex_);
  catcher_ = std::move(catcher);
}

bool InterruptWatcher::caught(int number) {
  const std::lock_guard hold(mutex_);
  if (number != SIGINT || !catcher_) return false;
  catcher_();
  return true;
}

InterruptWatcher::~InterruptWatcher() {
  leave_.request_stop();
  input_thread_.join();
  ::kill(::getpid(), leave_signal);
  thread_.join();
}

}  // namespace hearth::cli
