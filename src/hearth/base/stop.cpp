#include "hearth/base/stop.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>
#include <utility>

#include "hearth/base/check.h"
#include "hearth/base/pipe.h"

namespace hearth {
namespace detail {

struct StopState {
  std::atomic<bool> stopped{false};
  // Held while callbacks run, so that a StopCallback's destructor waits for a running one.
  // Recursive: a callback may register or drop callbacks of the same source.
  std::recursive_mutex mutex;
  unsigned long next_id = 1;
  std::map<unsigned long, std::function<void()>> callbacks;
};

}  // namespace detail

bool StopToken::stop_requested() const { return state_ && state_->stopped.load(); }

StopSource::StopSource() : state_(std::make_shared<detail::StopState>()) {}

bool StopSource::stop_requested() const { return state_->stopped.load(); }

void StopSource::request_stop() {
  const auto state = state_;  // a callback may drop the last owner of this source
  const std::lock_guard hold(state->mutex);
  if (state->stopped.exchange(true)) return;
  while (!state->callbacks.empty()) {
    auto node = state->callbacks.extract(state->callbacks.begin());
    node.mapped()();
  }
}

StopCallback::StopCallback(const StopToken& token, std::function<void()> callback)
    : state_(token.state_) {
  if (!state_) return;
  {
    const std::lock_guard hold(state_->mutex);
    if (!state_->stopped.load()) {
      id_ = state_->next_id++;
      state_->callbacks.emplace(id_, std::move(callback));
      return;
    }
  }
  callback();
}

StopCallback::~StopCallback() {
  if (!state_ || id_ == 0) return;
  const std::lock_guard hold(state_->mutex);
  state_->callbacks.erase(id_);
}

StopDescriptor::StopDescriptor(const StopToken& token) {
  if (!token.can_stop()) return;
  int fds[2];
  CHECK(make_pipe(fds));
  for (const int fd : fds) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  read_fd_ = fds[0];
  write_fd_ = fds[1];
  callback_ = std::make_unique<StopCallback>(token, [fd = write_fd_] {
    const char byte = 1;
    [[maybe_unused]] const auto written = ::write(fd, &byte, 1);
  });
}

StopDescriptor::~StopDescriptor() {
  callback_.reset();
  if (read_fd_ >= 0) ::close(read_fd_);
  if (write_fd_ >= 0) ::close(write_fd_);
}

bool stopped_while_waiting(const StopToken& token, Deadline deadline) {
  const StopDescriptor stopped(token);
  pollfd polled{stopped.fd(), POLLIN, 0};
  while (!token.stop_requested() && !deadline.passed()) {
    ::poll(&polled, 1, deadline.poll_timeout_ms());  // a signal only makes it look again
  }
  return token.stop_requested();
}

}  // namespace hearth
