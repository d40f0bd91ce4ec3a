#include "hearth/net/relay.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "hearth/net/test_server.h"

namespace hearth::net {
namespace {

Listener on_loopback() { return take(Listener::listen(Address::tcp("127.0.0.1", 0))); }

// Relays to a listener that the test accepts from.
struct RelayTo {
  explicit RelayTo(std::size_t connections_max = 4)
      : target(on_loopback()),
        relay(Relay::start(
            on_loopback(),
            [address = target.address()](std::unique_ptr<Stream> accepted, const StopToken& stop) -> Result<RelayEnds> {
              RelayEnds ends;
              ends.opened = TRY(connect_stream(address, soon(), stop));
              ends.accepted = std::move(accepted);
              return ends;
            },
            connections_max)) {}
  std::unique_ptr<Stream> connect() const { return take(connect_stream(relay->address(), soon(), {})); }
  std::unique_ptr<Stream> accept() { return take(target.accept(soon(), {})); }

  Listener target;
  std::unique_ptr<Relay> relay;
};

TEST(Relay, CarriesBytesBothWaysAtOnce) {
  RelayTo to;
  const auto client = to.connect();
  const auto server = to.accept();
  const Bytes there(5'000'000, std::byte{1});
  const Bytes back(3'000'000, std::byte{2});
  std::string at_client;
  Thread reading("reading", [&] { at_client = read_to_end(*client); });
  Thread sending("sending", [&] {
    EXPECT_TRUE(server->write_all(back, soon(), {}));
    server->shutdown_write();
  });
  Thread asking("asking", [&] {
    EXPECT_TRUE(client->write_all(there, soon(), {}));
    client->shutdown_write();
  });
  EXPECT_EQ(read_to_end(*server), as_text(there));
  asking.join();
  sending.join();
  reading.join();
  EXPECT_EQ(at_client, as_text(back));
}

TEST(Relay, OneSideMayEndWhileTheOtherStillSpeaks) {
  RelayTo to;
  const auto client = to.connect();
  const auto server = to.accept();
  write_text(*client, "question");
  client->shutdown_write();
  EXPECT_EQ(read_to_end(*server), "question");
  write_text(*server, "answer");
  server->close();
  EXPECT_EQ(read_to_end(*client), "answer");
}

TEST(Relay, AnEndThatIsGoneTakesTheOtherWithIt) {
  RelayTo to;
  auto client = to.connect();
  auto server = to.accept();
  client.reset();
  EXPECT_EQ(read_to_end(*server), "");
  client = to.connect();
  server = to.accept();
  server.reset();
  EXPECT_EQ(read_to_end(*client), "");
}

TEST(Relay, MoreConnectionsThanAllowedAreClosed) {
  RelayTo to(1);
  const auto first = to.connect();
  const auto server = to.accept();
  const auto second = to.connect();
  EXPECT_EQ(read_to_end(*second), "");
  write_text(*first, "x");
  EXPECT_EQ(read_until(*server, "x"), "x");
  EXPECT_EQ(to.relay->connection_count(), 1u);
}

TEST(Relay, WhatCannotBeOpenedIsClosed) {
  const auto relay = Relay::start(
      on_loopback(),
      [](std::unique_ptr<Stream>, const StopToken&) -> Result<RelayEnds> {
        return fail(Code::unavailable, "nobody there");
      },
      1);
  for (int i = 0; i < 3; ++i) {
    const auto client = take(connect_stream(relay->address(), soon(), {}));
    EXPECT_EQ(read_to_end(*client), "");
  }
}

TEST(Relay, EndsWithOpenConnectionsAtOnce) {
  RelayTo to;
  const auto client = to.connect();
  const auto server = to.accept();
  to.relay.reset();
  EXPECT_EQ(read_to_end(*client), "");
  EXPECT_EQ(read_to_end(*server), "");
}

TEST(Stream, APeerThatVanishesIsLookedFor) {
  RelayTo to;
  const auto client = to.connect();
  detect_dead_peer(*client, std::chrono::seconds(12));
  int on = 0;
  socklen_t length = sizeof(on);
  ASSERT_EQ(::getsockopt(client->watch_fd(), SOL_SOCKET, SO_KEEPALIVE, &on, &length), 0);
  EXPECT_NE(on, 0);
  detect_dead_peer(*make_memory_streams().first, std::chrono::seconds(12));  // nothing to do
}

}  // namespace
}  // namespace hearth::net
