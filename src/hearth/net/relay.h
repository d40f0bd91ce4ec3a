#pragma once
// Takes connections and joins each with another one, byte for byte both ways: the two ends of a
// tunnel. What is carried is opaque here.
//
// Threads: "relay_accept", and for each connection "relay" and "relay_back". Everything waits on
// sockets and tokens only.

#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>

#include "hearth/base/stop.h"
#include "hearth/base/thread.h"
#include "hearth/net/listener.h"

namespace hearth::net {

struct RelayEnds {
  std::unique_ptr<Stream> accepted, opened;
  std::shared_ptr<void> held;  // let go of when the connection has ended
};
// Opens the other side of an accepted connection; may wrap that one (TLS). On a connection's own
// thread; an Error closes the connection, and is logged.
using OpenOtherEnd = std::function<Result<RelayEnds>(std::unique_ptr<Stream> accepted, const StopToken& stop)>;

// Carries bytes both ways until both directions have ended, or one has failed. Uses the calling
// thread and one more.
void relay_bytes(Stream& a, Stream& b, const StopToken& stop);

class Relay {
 public:
  // More than `connections_max` at once are closed as they come.
  static std::unique_ptr<Relay> start(Listener listener, OpenOtherEnd open, std::size_t connections_max);
  ~Relay();  // cuts what runs
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  const Address& address() const { return address_; }
  std::size_t connection_count() const;

 private:
  Relay(Listener listener, OpenOtherEnd open, std::size_t connections_max);
  void accept_all();
  void begin(std::unique_ptr<Stream> accepted);
  void run(std::unique_ptr<Stream> accepted);
  void join_finished();

  Listener listener_;
  const Address address_;
  const OpenOtherEnd open_;
  const std::size_t connections_max_;
  StopSource stop_;
  mutable std::mutex mutex_;  // what follows
  std::condition_variable ended_;
  std::list<Thread> live_, finished_;
  Thread accept_thread_;
};

}  // namespace hearth::net
