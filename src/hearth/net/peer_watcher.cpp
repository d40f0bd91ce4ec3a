#include "hearth/net/peer_watcher.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "hearth/base/check.h"
#include "hearth/base/pipe.h"
#include "hearth/net/socket_address.h"

namespace hearth::net {
namespace {

#ifdef POLLRDHUP
constexpr short watched_events = POLLRDHUP;  // end of stream, even behind unread bytes
#else
constexpr short watched_events = POLLIN;
#endif

// Without POLLRDHUP readable bytes hide the end of the stream: such a socket is watched no more.
bool peer_is_there(int fd, short events) {
  if (watched_events != POLLIN || (events & (POLLHUP | POLLERR)) != 0) return false;
  std::byte one;
  return ::recv(fd, &one, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

}  // namespace

PeerWatcher::PeerWatcher(std::function<void()> on_wake) : on_wake_(std::move(on_wake)) {
  int fds[2];
  CHECK(make_pipe(fds));
  wake_read_ = FileDescriptor(fds[0]);
  wake_write_ = FileDescriptor(fds[1]);
  make_non_blocking(fds[0]);
  make_non_blocking(fds[1]);
  thread_ = Thread("http_watch", [this] { run(); });
}

PeerWatcher::~PeerWatcher() {
  {
    const std::lock_guard hold(mutex_);
    ending_ = true;
  }
  wake();
  thread_.join();
}

void PeerWatcher::wake() {
  const char byte = 1;
  [[maybe_unused]] const auto written = ::write(wake_write_.get(), &byte, 1);  // full: awake anyway
}

void PeerWatcher::run() {
  while (round()) {
  }
}

bool PeerWatcher::round() {
  std::vector<pollfd> polled{{wake_read_.get(), POLLIN, 0}};
  std::vector<std::uint64_t> ids{0};
  {
    const std::lock_guard hold(mutex_);
    if (ending_) return false;
    for (const auto& [id, entry] : entries_) {
      polled.push_back({entry.fd, watched_events, 0});
      ids.push_back(id);
    }
  }
  if (::poll(polled.data(), static_cast<nfds_t>(polled.size()), -1) < 0) return true;  // EINTR
  if (polled[0].revents != 0) {
    std::array<char, 256> drained;
    while (::read(wake_read_.get(), drained.data(), drained.size()) > 0) {
    }
    on_wake_();
  }
  for (std::size_t i = 1; i < polled.size(); ++i) {
    if (polled[i].revents != 0) report(ids[i], polled[i].revents);
  }
  return true;
}

void PeerWatcher::report(std::uint64_t id, int events) {
  std::unique_lock hold(mutex_);
  auto entry = entries_.extract(id);
  if (entry.empty()) return;  // it ended meanwhile, and its descriptor may be somebody else's
  const bool left = !peer_is_there(entry.mapped().fd, static_cast<short>(events));
  hold.unlock();
  if (left) entry.mapped().left.request_stop();  // unlocked: callbacks may end other requests
}

PeerWatcher::Watch::Watch(PeerWatcher* watcher, int fd, StopSource left) : watcher_(watcher) {
  if (watcher_ == nullptr || fd < 0) return;
  {
    const std::lock_guard hold(watcher_->mutex_);
    id_ = watcher_->next_id_++;
    watcher_->entries_.emplace(id_, Entry{fd, std::move(left)});
  }
  watcher_->wake();
}

PeerWatcher::Watch::~Watch() {
  if (id_ == 0) return;
  const std::lock_guard hold(watcher_->mutex_);
  watcher_->entries_.erase(id_);  // the thread finds out at its next round
}

}  // namespace hearth::net
