#include "hearth/net/http_server.h"

#include <fmt/format.h>
#include <poll.h>

#include <atomic>
#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>

#include "hearth/base/check.h"
#include "hearth/base/log.h"
#include "hearth/net/http_connection.h"
#include "hearth/net/peer_watcher.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HEARTH_STACK_FACTOR 8  // sanitizers widen every frame
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HEARTH_STACK_FACTOR 8
#endif
#endif
#ifndef HEARTH_STACK_FACTOR
#define HEARTH_STACK_FACTOR 1
#endif

namespace hearth::net {
namespace {

constexpr std::size_t refusing_threads_max = 16;  // say 503; beyond them connections just close
constexpr int accept_pause_ms = 100;  // after running out of descriptors

class Server final : public HttpServer {
 public:
  Server(Listener listener, Router router, HttpServerOptions options)
      : listener_(std::move(listener)),
        address_(listener_->address()),
        router_(std::move(router)),
        options_(std::move(options)),
        context_{router_, options_, &watcher_, stop_.token()},
        accept_thread_("accept", [this] { accept_all(); }) {}

  ~Server() override { Server::stop(); }

  const Address& address() const override { return address_; }
  std::size_t connection_count() const override {
    const std::lock_guard hold(mutex_);
    return live_.size();
  }

  void stop() override {
    const std::lock_guard once(stop_mutex_);
    stop_.request_stop();
    accept_thread_.join();
    listener_.reset();
    std::unique_lock hold(mutex_);
    for (Live& live : live_) live.stream->shutdown_read();  // idle ones wake and end
    ended_.wait_for(hold, options_.stop_grace, [&] { return live_.empty(); });
    for (Live& live : live_) live.stream->close();
    ended_.wait(hold, [&] { return live_.empty(); });
    hold.unlock();
    join_finished();
  }

 private:
  struct Live {
    std::unique_ptr<Stream> stream;
    Thread thread;
  };

  void accept_all() {
    while (!stop_.stop_requested()) {
      auto stream = listener_->accept(Deadline::never(), stop_.token());
      if (stream) {
        admit(*std::move(stream));
      } else if (stream.error().code != Code::cancelled) {
        log_warning(stream.error().message);
        const StopDescriptor stopped(stop_.token());
        pollfd polled{stopped.fd(), POLLIN, 0};
        ::poll(&polled, 1, accept_pause_ms);
      }
    }
  }

  void admit(std::unique_ptr<Stream> stream) {
    const std::lock_guard hold(mutex_);
    const bool over = live_.size() >= options_.connections_max;
    if (live_.size() >= options_.connections_max + refusing_threads_max) return;  // just closed
    live_.emplace_back(std::move(stream), Thread());
    const auto self = std::prev(live_.end());
    // The new thread waits for mutex_ before it touches `self`.
    auto started = Thread::start("http", [this, self, over] { run(self, over); },
                                 options_.thread_stack_bytes * HEARTH_STACK_FACTOR);
    if (started) {
      self->thread = *std::move(started);
    } else {
      log_warning(started.error().message);
      live_.erase(self);
    }
  }

  void run(std::list<Live>::iterator self, bool over) {
    options_.tls ? run_tls(self, over) : run_plain(self, over);
    const std::lock_guard hold(mutex_);
    self->stream.reset();  // under the lock: stop() may be shutting it down
    finished_.splice(finished_.end(), live_, self);
    ended_.notify_all();
    watcher_.wake();  // it joins this thread
  }

  void run_plain(std::list<Live>::iterator self, bool over) {
    Stream& stream = *use_stream(self);
    over ? refuse_connection(stream, context_) : serve_connection(stream, context_);
  }

  void run_tls(std::list<Live>::iterator self, bool over) {
    if (over) return;  // a refusal in plain text is for nobody, and a handshake is not for free
    TlsStream* secured = nullptr;
    {
      const std::lock_guard hold(mutex_);
      auto made = make_tls_server_stream(std::move(self->stream), *options_.tls);
      CHECK(made);  // start() has seen the options
      secured = made->get();
      self->stream = *std::move(made);
    }
    const auto deadline = Deadline::after(options_.tls->handshake_time_max);
    if (const auto shaken = secured->handshake(deadline, stop_.token()); !shaken) {
      log_info(shaken.error().message);
      if (shaken.error().code == Code::permission) {
        linger(secured->transport());  // lets it see the alert
      }
      return;
    }
    serve_connection(*secured, context_);
  }

  Stream* use_stream(std::list<Live>::iterator self) {
    const std::lock_guard hold(mutex_);
    return self->stream.get();
  }

  void join_finished() {
    std::list<Live> finished;
    {
      const std::lock_guard hold(mutex_);
      finished.swap(finished_);
    }
  }  // joins in the destructors

  std::optional<Listener> listener_;
  const Address address_;
  const Router router_;
  const HttpServerOptions options_;
  StopSource stop_;
  std::mutex stop_mutex_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::list<Live> live_;
  std::list<Live> finished_;
  PeerWatcher watcher_{[this] { join_finished(); }};
  const ConnectionContext context_;
  Thread accept_thread_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(Listener listener, Router router,
                                                      HttpServerOptions options) {
  if (options.connections_max == 0 || options.transfer_bytes_per_s_min == 0 ||
      options.header_bytes_max < 1024) {
    return fail(Code::invalid_argument,
                "HttpServerOptions: connections_max and transfer_bytes_per_s_min are at least 1, "
                "header_bytes_max at least 1024");
  }
  if (options.tls && !options.tls->credentials) {
    return fail(Code::invalid_argument, "HttpServerOptions: TLS needs credentials");
  }
  return std::make_unique<Server>(std::move(listener), std::move(router), std::move(options));
}

}  // namespace hearth::net
