#pragma once
// Cancellation. A StopSource fires once; tokens see it at once, and callbacks wake waiters
// (poll, libcurl, a condition variable) instead of letting them time out.
// Thread-safe. A default-constructed token never fires.

#include <functional>
#include <memory>

#include "hearth/base/clock.h"

namespace hearth {

namespace detail {
struct StopState;
}

class StopToken {
 public:
  StopToken() = default;
  bool stop_requested() const;
  bool can_stop() const { return state_ != nullptr; }

 private:
  friend class StopSource;
  friend class StopCallback;
  explicit StopToken(std::shared_ptr<detail::StopState> state) : state_(std::move(state)) {}
  std::shared_ptr<detail::StopState> state_;  // shared by source, tokens and callbacks
};

class StopSource {
 public:
  StopSource();
  StopToken token() const { return StopToken(state_); }
  // Runs the registered callbacks on this thread. Later calls do nothing.
  void request_stop();
  bool stop_requested() const;

 private:
  std::shared_ptr<detail::StopState> state_;
};

// Calls `callback` when the token fires, or at once if it has fired. After the destructor the
// callback neither runs nor will run. The callback must not destroy its own StopCallback.
class StopCallback {
 public:
  StopCallback(const StopToken& token, std::function<void()> callback);
  ~StopCallback();
  StopCallback(const StopCallback&) = delete;
  StopCallback& operator=(const StopCallback&) = delete;

 private:
  std::shared_ptr<detail::StopState> state_;
  unsigned long id_ = 0;
};

// A file descriptor that becomes readable when the token fires: what poll(2) waits on beside a
// socket. Owns the descriptor.
class StopDescriptor {
 public:
  explicit StopDescriptor(const StopToken& token);
  ~StopDescriptor();
  StopDescriptor(const StopDescriptor&) = delete;
  StopDescriptor& operator=(const StopDescriptor&) = delete;
  int fd() const { return read_fd_; }  // -1 for a token that never fires

 private:
  int read_fd_ = -1;
  int write_fd_ = -1;
  std::unique_ptr<StopCallback> callback_;
};

// A pause before trying again. True when the token fired before it was over.
bool stopped_while_waiting(const StopToken& token, Deadline deadline);

}  // namespace hearth
