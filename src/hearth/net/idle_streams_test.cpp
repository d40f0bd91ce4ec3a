// What a quiet event stream costs the server in memory. A process of its own, so that nothing else
// is counted.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "hearth/net/test_server.h"

namespace hearth::net {
namespace {

constexpr int stream_count = 512;
constexpr double mib = 1024 * 1024;

double resident_mib() {  // field 2 of statm, in pages; 0 where there is no /proc
  std::ifstream statm("/proc/self/statm");
  double total = 0;
  double resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / mib;
}

bool have_descriptors(rlim_t count) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min(std::max(limit.rlim_cur, count), limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur >= count;
}

struct Counter {
  std::mutex mutex;
  std::condition_variable changed;
  int waiting = 0;
};

class IdleSource final : public BodySource {
 public:
  explicit IdleSource(Counter& counter) : counter_(counter) {}
  Result<ByteSpan> next(const StopToken& stop) override {
    if (!std::exchange(begun_, true)) return as_byte_span(": hello\n\n");
    const StopCallback wake(stop, [&] {
      const std::lock_guard hold(counter_.mutex);
      counter_.changed.notify_all();
    });
    std::unique_lock hold(counter_.mutex);
    ++counter_.waiting;
    counter_.changed.notify_all();
    counter_.changed.wait(hold, [&] { return stop.stop_requested(); });
    --counter_.waiting;
    counter_.changed.notify_all();
    return ByteSpan();
  }

 private:
  Counter& counter_;
  bool begun_ = false;
};

TEST(IdleStreams, FiveHundredFitIntoSixtyFourMebibytes) {
  if (!have_descriptors(2 * stream_count + 64)) GTEST_SKIP() << "too few descriptors allowed";
  Counter counter;
  Router router;
  router.add("GET", "/events", [&](Request&, const PathParams&) -> Result<Response> {
    return Response::stream(std::make_unique<IdleSource>(counter), "text/event-stream");
  });
  TestServer server(std::move(router));
  const double before_mib = resident_mib();
  std::vector<std::unique_ptr<Stream>> clients;
  const auto all_are = [&](int count) {
    std::unique_lock hold(counter.mutex);
    return counter.changed.wait_for(hold, std::chrono::seconds(60),
                                    [&] { return counter.waiting == count; });
  };
  for (int i = 0; i < stream_count; ++i) {
    clients.push_back(server.connect());
    write_text(*clients.back(), "GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  ASSERT_TRUE(all_are(stream_count));
  const double cost_mib = resident_mib() - before_mib;
  std::printf("%d idle streams: %.1f MiB, clients' ends included\n", stream_count, cost_mib);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they keep their own books
  EXPECT_LT(cost_mib, 64);
#endif
  const Instant start = std::chrono::steady_clock::now();
  clients.clear();
  EXPECT_TRUE(all_are(0));
  std::printf("all ended %.1f ms after their clients left\n",
              milliseconds(std::chrono::steady_clock::now() - start));
}

}  // namespace
}  // namespace hearth::net
