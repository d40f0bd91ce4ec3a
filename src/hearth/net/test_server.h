#pragma once
// What the tests of this module share: servers on port 0 or a private unix socket, body sources
// whose life can be observed, and raw connections.

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string>

#include "hearth/base/file.h"
#include "hearth/net/http_client.h"
#include "hearth/net/http_server.h"
#include "hearth/net/stream.h"

namespace hearth::net {

inline Deadline soon() { return Deadline::after(std::chrono::seconds(20)); }  // never reached

template <class T>
T take(Result<T> result) {
  if (!result) ADD_FAILURE() << result.error().message;
  return *std::move(result);
}

// Set once, waited for by others.
class Flag {
 public:
  void set() {
    const std::lock_guard hold(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock hold(mutex_);
    return changed_.wait_for(hold, std::chrono::seconds(20), [&] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

struct TestServer {
  explicit TestServer(Router router, HttpServerOptions options = {}, bool unix_socket = false)
      : directory(take(TemporaryDirectory::create("hearth-net"))) {
    const Address wanted = unix_socket ? Address::unix_socket(directory.path() / "s")
                                       : Address::tcp("127.0.0.1", 0);
    server = take(
        HttpServer::start(take(Listener::listen(wanted)), std::move(router), std::move(options)));
  }
  Address address() const { return server->address(); }
  std::unique_ptr<Stream> connect() const { return take(connect_stream(address(), soon(), {})); }

  TemporaryDirectory directory;
  std::unique_ptr<HttpServer> server;
};

inline ClientRequest request_to(const Address& address, std::string method, std::string target) {
  ClientRequest request;
  request.method = std::move(method);
  request.address = address;
  request.target = std::move(target);
  return request;
}

// Everything until the peer closes.
inline std::string read_to_end(Stream& stream) {
  std::string out;
  std::byte block[4096];
  for (;;) {
    const auto count = stream.read_some(block, soon(), {});
    if (!count || *count == 0) return out;
    out.append(as_text({block, *count}));
  }
}

// Everything until `mark` has been seen.
inline std::string read_until(Stream& stream, std::string_view mark) {
  std::string out;
  std::byte one[1];
  while (!out.ends_with(mark)) {
    const auto count = stream.read_some(one, soon(), {});
    if (!count || *count == 0) break;
    out.append(as_text(one));
  }
  return out;
}

inline void write_text(Stream& stream, std::string_view text) {
  EXPECT_TRUE(stream.write_all(as_byte_span(text), soon(), {}));
}

// Gives one piece, then waits for its token; says when it waits, when the token fired and when it
// was destroyed.
struct QuietLife {
  Flag waiting;
  Flag stopped;
  Flag destroyed;
};
class QuietSource final : public BodySource {
 public:
  explicit QuietSource(QuietLife& life) : life_(life) {}
  ~QuietSource() override { life_.destroyed.set(); }
  Result<ByteSpan> next(const StopToken& stop) override {
    if (!begun_) {
      begun_ = true;
      return as_byte_span("first\n");
    }
    Flag fired;
    const StopCallback on_stop(stop, [&] { fired.set(); });
    life_.waiting.set();
    if (fired.wait()) life_.stopped.set();
    return fail(Code::cancelled, "the client left");
  }

 private:
  QuietLife& life_;
  bool begun_ = false;
};

}  // namespace hearth::net
