#pragma once
// An HTTP/1.1 server: one thread accepts ("accept"), one thread a connection ("http"), one thread
// watches the sockets of running requests for clients that leave ("http_watch"). Everything that a
// client can make it hold or wait for is bounded by an option below.
//
// It answers by itself: 400 malformed, 404, 405 with Allow, 408 slow, 413 body too large (before
// reading it), 417, 431 headers too large, 501 unknown transfer coding, 503 + Retry-After beyond
// connections_max. It does not do: HTTP/2, upgrades, compression, trailers.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "hearth/base/clock.h"
#include "hearth/base/result.h"
#include "hearth/net/http_router.h"
#include "hearth/net/listener.h"
#include "hearth/net/tls.h"

namespace hearth::net {

struct HttpServerOptions {
  std::size_t connections_max = 1024;
  std::size_t header_bytes_max = 64 * 1024;  // request line and fields
  std::size_t header_count_max = 128;
  // From the first byte of a request to the end of its head; and until the first byte of a connection's first one.
  Duration head_time_max = std::chrono::seconds(10);
  // Between requests of one connection.
  Duration idle_time_max = std::chrono::seconds(75);
  // A body, in or out, may take this long plus its size at the slowest rate.
  Duration transfer_time = std::chrono::seconds(30);
  std::uint64_t transfer_bytes_per_s_min = 64 * 1024;
  // Between two pieces of a body that comes in: of a client whose machine is gone nothing else tells.
  Duration body_silence_max = std::chrono::seconds(30);
  // stop() lets answers in progress finish for this long.
  Duration stop_grace = std::chrono::seconds(2);
  // TLS on every connection: the handshake runs on the connection's own thread, and who has not
  // proved itself gets not one byte of HTTP. Nor does a client beyond connections_max.
  std::optional<TlsServerOptions> tls;
  std::size_t thread_stack_bytes = 512 * 1024;  // only touched pages cost memory
  // How an error of the server itself or of a handler is shown; empty: error_response.
  // `request` holds what was read so far (nothing, when the head was malformed).
  std::function<Response(const Request& request, int status, const Error& error)> render_error;
};

class HttpServer {
 public:
  // Takes the listener and the routes. Handlers may be called until stop() has returned.
  static Result<std::unique_ptr<HttpServer>> start(Listener listener, Router router,
                                                   HttpServerOptions options = {});
  virtual ~HttpServer() = default;  // stops
  // Accepts no more, fires every request's token, lets what runs finish within stop_grace, cuts
  // what does not, joins all threads. A handler that ignores its token holds this up. Idempotent.
  virtual void stop() = 0;
  virtual const Address& address() const = 0;
  virtual std::size_t connection_count() const = 0;
};

}  // namespace hearth::net
