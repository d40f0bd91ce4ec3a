#include "hearth/net/relay.h"

#include <vector>

#include "hearth/base/log.h"

namespace hearth::net {
namespace {

constexpr std::size_t relay_buffer_bytes = 256 * 1024;
constexpr Duration accept_pause = std::chrono::milliseconds(100);  // after running out of descriptors

Result<> carry(Stream& from, Stream& to, const StopToken& stop) {
  std::vector<std::byte> buffer(relay_buffer_bytes);
  while (true) {
    const std::size_t count = TRY(from.read_some(buffer, Deadline::never(), stop));
    if (count == 0) break;
    TRY(to.write_all({buffer.data(), count}, Deadline::never(), stop));
  }
  to.shutdown_write();
  return {};
}

}  // namespace

void relay_bytes(Stream& a, Stream& b, const StopToken& stop) {
  const auto carry_or_close = [&](Stream& from, Stream& to) {
    if (const auto carried = carry(from, to, stop); carried) return;
    a.close();
    b.close();
  };
  Thread back("relay_back", [&] { carry_or_close(b, a); });
  carry_or_close(a, b);
  back.join();
}

std::unique_ptr<Relay> Relay::start(Listener listener, OpenOtherEnd open, std::size_t connections_max) {
  return std::unique_ptr<Relay>(new Relay(std::move(listener), std::move(open), connections_max));
}

Relay::Relay(Listener listener, OpenOtherEnd open, std::size_t connections_max)
    : listener_(std::move(listener)), address_(listener_.address()), open_(std::move(open)),
      connections_max_(connections_max), accept_thread_("relay_accept", [this] { accept_all(); }) {}

Relay::~Relay() {
  stop_.request_stop();
  accept_thread_.join();
  {
    std::unique_lock hold(mutex_);
    ended_.wait(hold, [&] { return live_.empty(); });
  }
  join_finished();
}

std::size_t Relay::connection_count() const {
  const std::lock_guard hold(mutex_);
  return live_.size();
}

void Relay::accept_all() {
  while (!stop_.stop_requested()) {
    auto accepted = listener_.accept(Deadline::never(), stop_.token());
    join_finished();
    if (accepted) {
      begin(*std::move(accepted));
    } else if (accepted.error().code != Code::cancelled) {
      log_warning(accepted.error().message);
      (void)stopped_while_waiting(stop_.token(), Deadline::after(accept_pause));
    }
  }
}

void Relay::begin(std::unique_ptr<Stream> accepted) {
  const std::lock_guard hold(mutex_);
  if (live_.size() >= connections_max_) {
    log_warning(address_.text() + ": too many connections; one from " + accepted->peer() + " is closed");
    return;
  }
  const auto self = live_.emplace(live_.end());
  // The new thread waits for mutex_ before it touches `self`.
  auto started = Thread::start("relay", [this, self, stream = std::make_shared<std::unique_ptr<Stream>>(
                                                        std::move(accepted))] {
    run(std::move(*stream));
    const std::lock_guard finishing(mutex_);
    finished_.splice(finished_.end(), live_, self);
    ended_.notify_all();
  });
  if (started) {
    *self = *std::move(started);
  } else {
    log_warning(started.error().message);
    live_.erase(self);
  }
}

void Relay::run(std::unique_ptr<Stream> accepted) {
  auto ends = open_(std::move(accepted), stop_.token());
  if (!ends) {
    if (!stop_.stop_requested()) log_warning(ends.error().message);
    return;
  }
  relay_bytes(*ends->accepted, *ends->opened, stop_.token());
}

void Relay::join_finished() {
  std::list<Thread> finished;
  {
    const std::lock_guard hold(mutex_);
    finished.swap(finished_);
  }
}  // joins in the destructors

}  // namespace hearth::net
