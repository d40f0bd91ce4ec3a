#include "hearth/net/stream.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <fstream>

#include "hearth/base/thread.h"
#include "hearth/net/listener.h"
#include "hearth/net/test_tls.h"

namespace hearth::net {
namespace {

using Pair = std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>>;

Pair socket_pair() {
  int fds[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  return {make_socket_stream(FileDescriptor(fds[0]), "a"),
          make_socket_stream(FileDescriptor(fds[1]), "b")};
}
Pair memory_pair() { return make_memory_streams(1000); }

Pair tls_pair() { return make_tls_pair(socket_pair()); }

// All kinds keep the same contract.
class StreamContract : public testing::TestWithParam<Pair (*)()> {};
INSTANTIATE_TEST_SUITE_P(Kinds, StreamContract, testing::Values(&socket_pair, &memory_pair, &tls_pair));

TEST_P(StreamContract, PartsArriveInOrderAndByteExact) {
  auto [a, b] = GetParam()();
  std::string large(3'000'000, 'x');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 >> 7);
  Thread writer("writer", [&] {
    std::vector<ByteSpan> parts(40, as_byte_span("ab"));
    parts.push_back({});
    parts.push_back(as_byte_span(large));
    EXPECT_TRUE(a->write_parts(parts, soon(), {}));
    a->shutdown_write();
  });
  std::string expected;
  for (int i = 0; i < 40; ++i) expected += "ab";
  EXPECT_TRUE(read_to_end(*b) == expected + large);
  EXPECT_TRUE(b->poll_peer_closed());
}

TEST_P(StreamContract, TokenWakesAWaitingRead) {
  auto [a, b] = GetParam()();
  StopSource source;
  Thread stopper("stopper", [&] { source.request_stop(); });
  std::byte byte[1];
  EXPECT_EQ(b->read_some(byte, Deadline::never(), source.token()).error().code, Code::cancelled);
}

TEST_P(StreamContract, DeadlineEndsReadAndBlockedWrite) {
  auto [a, b] = GetParam()();
  std::byte byte[1];
  const auto brief = Deadline::after(std::chrono::milliseconds(20));
  EXPECT_EQ(b->read_some(byte, brief, {}).error().code, Code::timed_out);
  const Bytes much(10'000'000);
  EXPECT_EQ(a->write_all(much, brief, {}).error().code, Code::timed_out);
}

TEST_P(StreamContract, WritingToAPeerThatLeftIsAnErrorNotASignal) {
  auto [a, b] = GetParam()();
  EXPECT_FALSE(a->poll_peer_closed());
  b.reset();
  EXPECT_TRUE(a->poll_peer_closed());
  EXPECT_EQ(a->write_all(as_byte_span("x"), soon(), {}).error().code, Code::unavailable);
}

TEST_P(StreamContract, ShutdownReadWakesAReader) {
  auto [a, b] = GetParam()();
  Thread other("other", [&stream = *b] { stream.shutdown_read(); });
  std::byte byte[1];
  EXPECT_EQ(take(b->read_some(byte, soon(), {})), 0u);
}

TEST(Listener, UnixSocketIsPrivateAndStaleOnesAreReplaced) {
  const auto directory = take(TemporaryDirectory::create("hearth-net"));
  const auto path = directory.path() / "s";
  {
    const auto first = take(Listener::listen(Address::unix_socket(path)));
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    const auto second = Listener::listen(Address::unix_socket(path));
    ASSERT_FALSE(second);  // somebody answers
    EXPECT_EQ(second.error().code, Code::unavailable);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  {
    const auto shared = take(Listener::listen(Address::unix_socket(path), UnixAccess::group));
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0660u);
  }
  {  // what a killed process leaves behind: a bound file without a listener
    const FileDescriptor dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  EXPECT_TRUE(Listener::listen(Address::unix_socket(path)));
  std::ofstream(path) << "not a socket";
  EXPECT_EQ(Listener::listen(Address::unix_socket(path)).error().code, Code::invalid_argument);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(Listener, AcceptEndsByTokenAndDeadline) {
  auto listener = take(Listener::listen(Address::tcp("127.0.0.1", 0)));
  EXPECT_NE(listener.port(), 0);
  const auto brief = Deadline::after(std::chrono::milliseconds(10));
  EXPECT_EQ(listener.accept(brief, {}).error().code, Code::timed_out);
  StopSource source;
  Thread stopper("stopper", [&] { source.request_stop(); });
  EXPECT_EQ(listener.accept(soon(), source.token()).error().code, Code::cancelled);
  const auto client = take(connect_stream(listener.address(), soon(), {}));
  EXPECT_TRUE(listener.accept(soon(), {}));
}

TEST(Connect, SaysWhoIsNotThere) {
  const auto port = take(Listener::listen(Address::tcp("127.0.0.1", 0))).port();  // closed again
  const auto refused = connect_stream(Address::tcp("127.0.0.1", port), soon(), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unavailable);
  EXPECT_NE(refused.error().message.find("127.0.0.1:"), std::string::npos);
}

}  // namespace
}  // namespace hearth::net
