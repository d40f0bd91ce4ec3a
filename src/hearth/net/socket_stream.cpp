#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "hearth/base/check.h"
#include "hearth/net/socket_address.h"
#include "hearth/net/stream.h"

#ifndef POLLRDHUP  // Linux only; elsewhere POLLHUP tells of a peer that has closed
#define POLLRDHUP POLLHUP
#endif
#ifndef MSG_NOSIGNAL  // macOS: SO_NOSIGPIPE is set on the socket instead
#define MSG_NOSIGNAL 0
#endif

namespace hearth::net {
namespace {

constexpr std::size_t gather_parts_max = 16;

// Waits until the socket is ready for `events`. The stop descriptor is made only here, when there
// is something to wait for.
Result<> wait_ready(int fd, short events, Deadline deadline, const StopToken& stop,
                    std::string_view peer) {
  const StopDescriptor stop_descriptor(stop);
  for (;;) {
    std::array<pollfd, 2> polled{pollfd{fd, events, 0}, pollfd{stop_descriptor.fd(), POLLIN, 0}};
    const int ready = ::poll(polled.data(), polled.size(), deadline.poll_timeout_ms());
    if (ready < 0 && errno != EINTR) return fail_socket("waiting for", peer, errno);
    if (stop.stop_requested()) {
      return fail(Code::cancelled, fmt::format("{}: cancelled while waiting", peer));
    }
    if (ready > 0) return {};
    if (deadline.passed()) {
      return fail(Code::timed_out, fmt::format("{}: the deadline passed", peer));
    }
  }
}

bool would_block(int error_number) {
  return error_number == EAGAIN || error_number == EWOULDBLOCK;
}

class SocketStream final : public Stream {
 public:
  SocketStream(FileDescriptor socket, std::string peer)
      : socket_(std::move(socket)), peer_(std::move(peer)) {}

  Result<std::size_t> read_some(std::span<std::byte> out, Deadline deadline,
                                const StopToken& stop) override {
    CHECK(!out.empty());
    for (;;) {
      if (stop.stop_requested()) return fail(Code::cancelled, fmt::format("{}: cancelled", peer_));
      const auto count = ::recv(socket_.get(), out.data(), out.size(), 0);
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno == EINTR) continue;
      if (!would_block(errno)) return lost("reading from", errno);
      TRY(wait_ready(socket_.get(), POLLIN, deadline, stop, peer_));
    }
  }

  Result<> write_parts(std::span<const ByteSpan> parts, Deadline deadline,
                       const StopToken& stop) override {
    std::size_t part = 0;
    std::size_t offset = 0;  // into parts[part]
    while (part < parts.size()) {
      if (offset == parts[part].size()) {
        ++part;
        offset = 0;
        continue;
      }
      if (stop.stop_requested()) return fail(Code::cancelled, fmt::format("{}: cancelled", peer_));
      const auto sent = send_some(parts.subspan(part), offset);
      if (sent >= 0) {
        advance(parts, static_cast<std::size_t>(sent), part, offset);
      } else if (would_block(errno)) {
        TRY(wait_ready(socket_.get(), POLLOUT, deadline, stop, peer_));
      } else if (errno != EINTR) {
        return lost("writing to", errno);
      }
    }
    return {};
  }

  void shutdown_read() override { ::shutdown(socket_.get(), SHUT_RD); }
  void shutdown_write() override { ::shutdown(socket_.get(), SHUT_WR); }
  void close() override { ::shutdown(socket_.get(), SHUT_RDWR); }

  bool poll_peer_closed() override {
    pollfd polled{socket_.get(), POLLRDHUP, 0};
    if (::poll(&polled, 1, 0) > 0) return true;
    std::byte one;
    const auto count = ::recv(socket_.get(), &one, 1, MSG_PEEK | MSG_DONTWAIT);
    return count == 0 || (count < 0 && !would_block(errno) && errno != EINTR);
  }
  int watch_fd() const override { return socket_.get(); }
  std::string peer() const override { return peer_; }

 private:
  ssize_t send_some(std::span<const ByteSpan> parts, std::size_t offset) const {
    std::array<iovec, gather_parts_max> gathered;
    std::size_t count = 0;
    for (; count < std::min(parts.size(), gather_parts_max); ++count) {
      const ByteSpan piece = count == 0 ? parts[0].subspan(offset) : parts[count];
      gathered[count] = {const_cast<std::byte*>(piece.data()), piece.size()};
    }
    msghdr message{};
    message.msg_iov = gathered.data();
    message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);
    return ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
  }

  static void advance(std::span<const ByteSpan> parts, std::size_t sent, std::size_t& part,
                      std::size_t& offset) {
    while (sent > 0) {
      const std::size_t here = std::min(sent, parts[part].size() - offset);
      sent -= here;
      offset += here;
      if (offset == parts[part].size()) {
        ++part;
        offset = 0;
      }
    }
  }

  std::unexpected<Error> lost(std::string_view what, int error_number) const {
    return fail_socket(what, peer_, error_number);
  }

  FileDescriptor socket_;
  std::string peer_;
};

Result<> finish_connecting(int fd, const SocketAddress& to, const std::string& name,
                           Deadline deadline, const StopToken& stop) {
  if (::connect(fd, to.get(), to.length) == 0) return {};
  if (errno != EINPROGRESS && errno != EINTR) return fail_socket("connecting to", name, errno);
  TRY(wait_ready(fd, POLLOUT, deadline, stop, name));
  int error = 0;
  socklen_t length = sizeof(error);
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return fail_socket("connecting to", name, error);
  return {};
}

}  // namespace

std::unique_ptr<Stream> make_socket_stream(FileDescriptor socket, std::string peer) {
  make_non_blocking(socket.get());
  // Each of our writes is a whole message part: waiting for more (Nagle) only adds delay.
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return std::make_unique<SocketStream>(std::move(socket), std::move(peer));
}

void detect_dead_peer(const Stream& stream, Duration silence_max) {
  const int fd = stream.watch_fd();
  if (fd < 0) return;
  const auto set = [&](int level, int option, int value) {
    ::setsockopt(fd, level, option, &value, sizeof(value));
  };
  // A third of the time until the first question, the rest for answers to three of them.
  const int silence_s = std::max(3, static_cast<int>(seconds(silence_max)));
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
#ifdef TCP_KEEPIDLE
  set(IPPROTO_TCP, TCP_KEEPIDLE, silence_s / 3);
#elif defined(TCP_KEEPALIVE)
  set(IPPROTO_TCP, TCP_KEEPALIVE, silence_s / 3);
#endif
#ifdef TCP_KEEPINTVL
  set(IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, silence_s * 2 / 9));
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
#endif
#ifdef TCP_USER_TIMEOUT  // for what was sent and is not acknowledged
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, silence_s * 1000);
#elif defined(TCP_RXT_CONNDROPTIME)
  set(IPPROTO_TCP, TCP_RXT_CONNDROPTIME, silence_s);
#endif
}

Result<std::unique_ptr<Stream>> connect_stream(const Address& address, Deadline deadline,
                                               const StopToken& stop) {
  if (address.tls) return fail(Code::unsupported, address.text() + ": a plain stream has no TLS");
  const std::string name = address.text();
  const auto candidates = TRY(resolve(address));
  Error last{Code::unavailable, name + ": no address"};
  for (const SocketAddress& candidate : candidates) {
    auto socket = TRY(make_socket(candidate.storage.ss_family));
    const auto connected = finish_connecting(socket.get(), candidate, name, deadline, stop);
    if (connected) return make_socket_stream(std::move(socket), name);
    last = connected.error();
    if (last.code == Code::cancelled || last.code == Code::timed_out) break;
  }
  return std::unexpected(std::move(last));
}

}  // namespace hearth::net
