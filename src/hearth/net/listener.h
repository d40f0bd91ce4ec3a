#pragma once
// A listening socket, TCP or unix. Owns the descriptor, and the socket file of a unix listener
// (its user's alone unless said otherwise, removed by the destructor). One thread accepts.

#include <cstdint>
#include <memory>

#include "hearth/base/clock.h"
#include "hearth/base/file.h"
#include "hearth/base/result.h"
#include "hearth/base/stop.h"
#include "hearth/net/address.h"
#include "hearth/net/stream.h"

namespace hearth::net {

// Who may connect to a unix socket: its user, or members of its group too, which is that of the folder it
// lies in or of this process, as for any new file.
enum class UnixAccess : std::uint8_t { owner, group };

class Listener {
 public:
  // TCP: SO_REUSEADDR; port 0 picks a free one. Unix: a socket file left by a dead process is
  // replaced, but only if nobody answers on it; a live one, or another kind of file, is
  // unavailable / invalid_argument.
  static Result<Listener> listen(const Address& address, UnixAccess access = UnixAccess::owner);
  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  // The next connection (TCP_NODELAY set). cancelled when the token fires. A connection that died
  // before it was accepted is skipped; resource_exhausted when descriptors have run out.
  Result<std::unique_ptr<Stream>> accept(Deadline deadline, const StopToken& stop);

  const Address& address() const { return address_; }  // with the port that was picked
  std::uint16_t port() const { return address_.port; }

 private:
  Listener(FileDescriptor socket, Address address)
      : socket_(std::move(socket)), address_(std::move(address)) {}
  FileDescriptor socket_;
  Address address_;
};

}  // namespace hearth::net
