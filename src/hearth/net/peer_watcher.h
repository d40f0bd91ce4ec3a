#pragma once
// One thread ("http_watch") that polls the sockets of running requests and fires a request's
// StopSource when its client has left. Thread-safe. Private to net.

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>

#include "hearth/base/file.h"
#include "hearth/base/stop.h"
#include "hearth/base/thread.h"

namespace hearth::net {

class PeerWatcher {
 public:
  // `on_wake` runs on the watch thread after each wake().
  explicit PeerWatcher(std::function<void()> on_wake);
  ~PeerWatcher();
  PeerWatcher(const PeerWatcher&) = delete;
  PeerWatcher& operator=(const PeerWatcher&) = delete;

  void wake();

  // Watches while it lives. `fd` is a socket that stays open at least as long; -1 watches nothing.
  class Watch {
   public:
    Watch(PeerWatcher* watcher, int fd, StopSource left);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    PeerWatcher* watcher_;
    std::uint64_t id_ = 0;
  };

 private:
  struct Entry {
    int fd;
    StopSource left;
  };
  void run();
  bool round();
  void report(std::uint64_t id, int events);

  std::function<void()> on_wake_;
  FileDescriptor wake_read_;
  FileDescriptor wake_write_;
  std::mutex mutex_;
  std::map<std::uint64_t, Entry> entries_;
  std::uint64_t next_id_ = 1;
  bool ending_ = false;
  Thread thread_;
};

}  // namespace hearth::net
