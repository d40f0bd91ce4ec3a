#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <vector>

#include "hearth/base/check.h"
#include "hearth/net/stream.h"

namespace hearth::net {
namespace {

// One direction. `writer_gone` ends it after what is buffered; `reader_gone` refuses writes.
class Pipe {
 public:
  explicit Pipe(std::size_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}

  Result<std::size_t> read(std::span<std::byte> out, Deadline deadline, const StopToken& stop) {
    const StopCallback wake(stop, [this] { notify(); });
    std::unique_lock hold(mutex_);
    TRY(wait(hold, deadline, stop,
             [&] { return !bytes_.empty() || writer_gone_ || reader_gone_; }));
    const std::size_t count = std::min(out.size(), bytes_.size());
    if (count == 0) return count;
    std::memcpy(out.data(), bytes_.data(), count);
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(count));
    changed_.notify_all();
    return count;
  }

  Result<> write(ByteSpan bytes, Deadline deadline, const StopToken& stop) {
    const StopCallback wake(stop, [this] { notify(); });
    std::unique_lock hold(mutex_);
    while (!bytes.empty()) {
      TRY(wait(hold, deadline, stop,
               [&] { return bytes_.size() < capacity_bytes_ || reader_gone_ || writer_gone_; }));
      if (reader_gone_ || writer_gone_) return fail(Code::unavailable, "memory: the peer is gone");
      const std::size_t count = std::min(bytes.size(), capacity_bytes_ - bytes_.size());
      bytes_.insert(bytes_.end(), bytes.begin(),
                    bytes.begin() + static_cast<std::ptrdiff_t>(count));
      bytes = bytes.subspan(count);
      changed_.notify_all();
    }
    return {};
  }

  void end_writing() { set(writer_gone_); }
  void end_reading() { set(reader_gone_); }
  bool ended_by_writer() {
    const std::lock_guard hold(mutex_);
    return writer_gone_;
  }

 private:
  void set(bool& flag) {
    {
      const std::lock_guard hold(mutex_);
      flag = true;
    }
    changed_.notify_all();
  }
  void notify() {
    { const std::lock_guard hold(mutex_); }  // a waiter is now either waiting or past its check
    changed_.notify_all();
  }

  template <class Ready>
  Result<> wait(std::unique_lock<std::mutex>& hold, Deadline deadline, const StopToken& stop,
                Ready ready) {
    const auto done = [&] { return stop.stop_requested() || ready(); };
    if (deadline.is_never()) {
      changed_.wait(hold, done);
    } else if (!changed_.wait_until(hold, deadline.when(), done)) {
      return fail(Code::timed_out, "memory: the deadline passed");
    }
    if (stop.stop_requested()) return fail(Code::cancelled, "memory: cancelled");
    return {};
  }

  const std::size_t capacity_bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::byte> bytes_;
  bool writer_gone_ = false;
  bool reader_gone_ = false;
};

class MemoryStream final : public Stream {
 public:
  MemoryStream(std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out)
      : in_(std::move(in)), out_(std::move(out)) {}
  ~MemoryStream() override { MemoryStream::close(); }

  Result<std::size_t> read_some(std::span<std::byte> out, Deadline deadline,
                                const StopToken& stop) override {
    CHECK(!out.empty());
    return in_->read(out, deadline, stop);
  }
  Result<> write_parts(std::span<const ByteSpan> parts, Deadline deadline,
                       const StopToken& stop) override {
    for (const ByteSpan part : parts) TRY(out_->write(part, deadline, stop));
    return {};
  }
  void shutdown_read() override { in_->end_reading(); }
  void shutdown_write() override { out_->end_writing(); }
  void close() override {
    in_->end_reading();
    out_->end_writing();
  }
  bool poll_peer_closed() override { return in_->ended_by_writer(); }
  std::string peer() const override { return "memory"; }

 private:
  std::shared_ptr<Pipe> in_;
  std::shared_ptr<Pipe> out_;
};

}  // namespace

std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> make_memory_streams(
    std::size_t capacity_bytes) {
  CHECK(capacity_bytes > 0);
  const auto there = std::make_shared<Pipe>(capacity_bytes);
  const auto back = std::make_shared<Pipe>(capacity_bytes);
  return {std::make_unique<MemoryStream>(back, there), std::make_unique<MemoryStream>(there, back)};
}

}  // namespace hearth::net
