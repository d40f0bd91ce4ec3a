#include "hearth/node/pool/tunnel.h"

#include <gtest/gtest.h>

#include "hearth/net/test_tls.h"
#include "hearth/node/pool/rpc_probe.h"

namespace hearth::node {
namespace {

using net::take;
constexpr std::string_view hello = "hello";

net::Listener on_loopback() { return take(net::Listener::listen(net::Address::tcp("127.0.0.1", 0))); }

// "spark-1" lends, with a listener of the test in the place of the RPC server.
class Tunnel : public ::testing::Test {
 protected:
  Tunnel() : server_(on_loopback()) {
    net::TlsServerOptions tls;
    tls.credentials = authority_.credentials("spark-1");
    tls.admit = [this](const net::PeerIdentity& peer) -> Result<> {
      if (peer.certificate.common_name == removed_) return fail(Code::permission, "removed");
      return {};
    };
    tls.ask_about_self_signed = true;  // as where the authority is: holders of an invite get in
    lending_ = LendingTunnel::start(on_loopback(), std::move(tls), [this]() -> Result<net::Address> {
      if (is_server_down_) return fail(Code::unavailable, "the RPC server is being started");
      return server_.address();
    });
  }

  std::unique_ptr<net::Relay> borrow(std::shared_ptr<net::TlsCredentials> credentials,
                                     const std::string& expected = "spark-1") {
    net::TlsClientOptions tls;
    tls.credentials = std::move(credentials);
    tls.expected_machine = expected;
    return take(start_borrowing_tunnel(lending_->address(), std::move(tls)));
  }
  static std::unique_ptr<net::Stream> connect(const net::Relay& tunnel) {
    return take(net::connect_stream(tunnel.address(), net::soon(), {}));
  }
  std::unique_ptr<net::Stream> accept() { return take(server_.accept(net::soon(), {})); }
  void expect_nothing_arrives() {
    const auto accepted = server_.accept(Deadline::after(std::chrono::milliseconds(20)), {});
    EXPECT_FALSE(accepted);
  }

  net::TestAuthority authority_;
  std::string removed_ = "spark-2";
  std::atomic<bool> is_server_down_ = false;
  net::Listener server_;
  std::unique_ptr<LendingTunnel> lending_;
};

TEST_F(Tunnel, CarriesBytesBothWays) {
  const auto tunnel = borrow(authority_.credentials("studio"));
  const auto client = connect(*tunnel);
  const auto server = accept();
  net::write_text(*client, hello);
  EXPECT_EQ(net::read_until(*server, hello), hello);
  EXPECT_EQ(lending_->used_by(), "studio");
  const Bytes many(3'000'000, std::byte{7});
  Thread sending("sending", [&] {
    EXPECT_TRUE(server->write_all(many, net::soon(), {}));
    server->close();
  });
  EXPECT_EQ(net::read_to_end(*client), as_text(many));
}

TEST_F(Tunnel, ListensOnLoopbackAloneWhereItIsBorrowed) {
  const auto tunnel = borrow(authority_.credentials("studio"));
  EXPECT_EQ(tunnel->address().host, "127.0.0.1");
}

TEST_F(Tunnel, StrangersAndRemovedMachinesAndOtherClustersGetNothing) {
  const net::TestAuthority other;
  for (const auto& credentials : {authority_.credentials("spark-2"), other.credentials("studio")}) {
    const auto tunnel = borrow(credentials);
    EXPECT_EQ(net::read_to_end(*connect(*tunnel)), "");
    expect_nothing_arrives();
  }
  const auto plain = take(net::connect_stream(lending_->address(), net::soon(), {}));
  net::write_text(*plain, std::string(64, 'x'));
  EXPECT_EQ(net::read_to_end(*plain).find("ok"), std::string::npos);
  expect_nothing_arrives();
}

TEST_F(Tunnel, WhoOnlyHoldsAnInviteGetsNothing) {
  net::TlsIdentity self_signed;
  self_signed.private_key_pem = take(net::make_private_key());
  self_signed.certificate_pem = take(net::make_self_signed(
      self_signed.private_key_pem, {.common_name = "guest", .dns_names = {}, .serial = 1, .not_before = net::in_hours(-1),
                                    .expires = net::in_hours(1), .is_authority = false, .authority_domain = {}}));
  const auto tunnel = borrow(take(net::TlsCredentials::create(self_signed, authority_.certificate)));
  EXPECT_EQ(net::read_to_end(*connect(*tunnel)), "");
  expect_nothing_arrives();
}

TEST_F(Tunnel, AnotherMachineInTheLendersPlaceGetsNothing) {
  const auto tunnel = borrow(authority_.credentials("studio"), "spark-7");
  EXPECT_EQ(net::read_to_end(*connect(*tunnel)), "");
  expect_nothing_arrives();
}

TEST_F(Tunnel, IsLentToOneMachineAtATime) {
  const auto studio = borrow(authority_.credentials("studio"));
  const auto laptop = borrow(authority_.credentials("laptop"));
  auto first = connect(*studio);
  auto server = accept();
  net::write_text(*first, hello);
  net::read_until(*server, hello);
  EXPECT_EQ(net::read_to_end(*connect(*laptop)), "");
  EXPECT_EQ(lending_->used_by(), "studio");
  first.reset();
  EXPECT_EQ(net::read_to_end(*server), "");
  server.reset();
  // Freed when both ends have noticed; a try before that is refused.
  for (int i = 0; i < 1000 && !lending_->used_by().empty(); ++i) {
    (void)stopped_while_waiting({}, Deadline::after(std::chrono::milliseconds(10)));
  }
  const auto second = connect(*laptop);
  net::write_text(*second, hello);
  EXPECT_EQ(net::read_until(*accept(), hello), hello);
}

TEST_F(Tunnel, AServerThatIsDownClosesTheConnection) {
  is_server_down_ = true;
  const auto tunnel = borrow(authority_.credentials("studio"));
  EXPECT_EQ(net::read_to_end(*connect(*tunnel)), "");
  EXPECT_EQ(lending_->used_by(), "");
}

TEST(RpcProbe, SaysWhatIsWrongWithAnEndpoint) {
  const auto listener = std::make_unique<net::Listener>(on_loopback());
  const net::Address address = listener->address();
  Thread old_server("old_server", [&] {
    const auto client = take(listener->accept(net::soon(), {}));
    std::array<std::byte, 33> greeting;
    (void)client->read_some(greeting, net::soon(), {});
    const std::array<std::byte, 36> answer{std::byte{28}, {}, {}, {}, {}, {}, {}, {}, std::byte{7}, std::byte{1}};
    EXPECT_TRUE(client->write_all(answer, net::soon(), {}));
    (void)client->read_some(greeting, net::soon(), {});
  });
  const auto other = probe_rpc(address, "8.0.0", {});
  old_server.join();
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::unsupported);
  EXPECT_NE(other.error().message.find("protocol 7.1.0, this engine 8.0.0"), std::string::npos) << other.error().message;

  // It accepts and says nothing, as a server that computes for another worker.
  const auto silent = probe_rpc(address, "8.0.0", {}, std::chrono::milliseconds(50));
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().code, Code::unavailable);
}

TEST(RpcProbe, AClosedPortIsUnavailable) {
  const net::Address address = on_loopback().address();
  const auto dead = probe_rpc(address, "8.0.0", {});
  ASSERT_FALSE(dead);
  EXPECT_EQ(dead.error().code, Code::unavailable);
}

}  // namespace
}  // namespace hearth::node
