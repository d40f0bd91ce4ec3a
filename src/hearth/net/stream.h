#pragma once
// A two-way byte stream: a socket, TLS over one, or memory. Knows bytes, not HTTP.
//
// Threads: one thread reads, one thread writes (may be the same); the shutdown calls and
// poll_peer_closed may come from any thread while the object lives. The destructor closes.
// Errors: timed_out (deadline), cancelled (token), unavailable (the peer is gone).
// A fired token wakes a waiting call at once. No call raises SIGPIPE.

#include <memory>
#include <span>
#include <string>
#include <utility>

#include "hearth/base/bytes.h"
#include "hearth/base/clock.h"
#include "hearth/base/file.h"
#include "hearth/base/stop.h"
#include "hearth/net/address.h"
#include "hearth/net/peer_identity.h"

namespace hearth::net {

class Stream {
 public:
  virtual ~Stream() = default;

  // At least one byte; 0 when the peer has finished sending. `out` is not empty.
  virtual Result<std::size_t> read_some(std::span<std::byte> out, Deadline deadline,
                                        const StopToken& stop) = 0;
  // All parts in order, gathered into as few system calls as possible.
  virtual Result<> write_parts(std::span<const ByteSpan> parts, Deadline deadline,
                               const StopToken& stop) = 0;
  Result<> write_all(ByteSpan bytes, Deadline deadline, const StopToken& stop) {
    return write_parts({&bytes, 1}, deadline, stop);
  }

  // Later reads give 0 (what has already arrived may still be read); a waiting read wakes.
  virtual void shutdown_read() = 0;
  // Says "nothing more from me" to the peer.
  virtual void shutdown_write() = 0;
  // Both, and waiting calls of either kind wake. The descriptor itself is freed by the destructor.
  virtual void close() = 0;

  // True when the peer has closed its end, even while bytes wait to be read. Does not block.
  virtual bool poll_peer_closed() = 0;
  // The socket under it, for poll(2) by somebody who watches; -1 when there is none.
  virtual int watch_fd() const { return -1; }
  // Who is at the other end, for logs: "127.0.0.1:51234", "unix", "memory".
  virtual std::string peer() const = 0;
  // What a TLS peer has proved of itself; nullptr on plain streams.
  virtual const PeerIdentity* peer_identity() const { return nullptr; }
};

// Takes a connected socket and makes it non-blocking.
std::unique_ptr<Stream> make_socket_stream(FileDescriptor socket, std::string peer);

// Connects. unavailable when nobody listens there; name resolution blocks and is not interrupted.
// Address::tls is refused (unsupported): TLS wraps the stream this returns.
Result<std::unique_ptr<Stream>> connect_stream(const Address& address, Deadline deadline,
                                               const StopToken& stop);

// A connection whose peer has vanished without a word (asleep, unplugged) fails within about
// `silence_max`, though nothing is read or written meanwhile. TCP only; nothing on other streams.
void detect_dead_peer(const Stream& stream, Duration silence_max);

// Two ends joined in memory; each direction holds at most `capacity_bytes`.
std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> make_memory_streams(
    std::size_t capacity_bytes = 64 * 1024);

}  // namespace hearth::net
