// TLS on real sockets: who gets in, who gets nothing, and what a connection carries.
#include "hearth/net/tls.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "hearth/base/thread.h"
#include "hearth/net/test_tls.h"

namespace hearth::net {
namespace {

using std::chrono::milliseconds;
using namespace std::string_view_literals;

const TestAuthority& ours() {
  static const TestAuthority authority;
  return authority;
}
const TestAuthority& foreign() {
  static const TestAuthority authority;
  return authority;
}

Router test_router(std::atomic<int>* calls = nullptr) {
  Router router;
  router.add("GET", "/who", [calls](Request& request, const PathParams&) -> Result<Response> {
    if (calls != nullptr) ++*calls;
    return Response::text(200, request.peer_identity
                                   ? request.peer_identity->certificate.common_name + " " + request.remote
                                   : "nobody");
  });
  router.add("POST", "/echo", [](Request& request, const PathParams&) -> Result<Response> {
    return Response::bytes(std::move(request.body));
  });
  return router;
}

HttpServerOptions secured(TlsServerOptions tls) {
  HttpServerOptions out;
  if (!tls.credentials) tls.credentials = ours().credentials("studio");
  out.tls = std::move(tls);
  return out;
}

struct SecureServer : TestServer {
  explicit SecureServer(TlsServerOptions tls = {}) : TestServer(test_router(), secured(std::move(tls))) {}
  SecureServer(Router router, TlsServerOptions tls)
      : TestServer(std::move(router), secured(std::move(tls))) {}
  ClientRequest request(std::string method, std::string target) const {
    Address to = address();
    to.tls = true;
    ClientRequest out = request_to(to, std::move(method), std::move(target));
    out.expected_machine = "studio";
    return out;
  }
};

std::unique_ptr<HttpClient> client_as(std::shared_ptr<TlsCredentials> credentials) {
  CurlClientOptions options;
  options.tls = std::move(credentials);
  return make_curl_client(std::move(options));
}
Result<ClientReply> ask(const SecureServer& server, std::shared_ptr<TlsCredentials> credentials) {
  return client_as(std::move(credentials))->send(server.request("GET", "/who"), soon(), {});
}

TEST(Tls, HandlersSeeWhoAsks) {
  const SecureServer server;
  const auto reply = take(ask(server, ours().credentials("spark-1")));
  EXPECT_TRUE(reply.body_text().starts_with("spark-1 127.0.0.1:")) << reply.body_text();
}

TEST(Tls, PlainServersSeeNobody) {
  const TestServer server(test_router());
  const auto reply =
      take(make_curl_client()->send(request_to(server.address(), "GET", "/who"), soon(), {}));
  EXPECT_EQ(reply.body_text(), "nobody");
}

TEST(Tls, KeptConnectionsAreUsedAgain) {
  const SecureServer server;
  const auto client = client_as(ours().credentials("spark-1"));
  const auto first = take(client->send(server.request("GET", "/who"), soon(), {}));
  const auto second = take(client->send(server.request("GET", "/who"), soon(), {}));
  EXPECT_EQ(first.body_text(), second.body_text());  // the same remote port
}

TEST(Tls, BodiesTravelWholeBothWays) {
  const SecureServer server;
  const auto client = client_as(ours().credentials("spark-1"));
  for (const std::size_t bytes : {1u, 16'384u, 65'536u, 262'144u, 5'000'000u}) {
    const Bytes sent = random_secret(bytes);
    ClientRequest request = server.request("POST", "/echo");
    request.body = {sent};
    const auto reply = take(client->send(request, soon(), {}));
    ASSERT_EQ(reply.body.size(), bytes);
    EXPECT_TRUE(std::ranges::equal(reply.body.span(), sent));
  }
}

TEST(Tls, WhoIsNotOursIsRefusedAndReachesNoHandler) {
  std::atomic<int> calls = 0;
  TlsServerOptions tls;
  tls.admit = [](const PeerIdentity& peer) -> Result<> {
    if (peer.certificate.common_name != "revoked") return {};
    return fail(Code::permission, "was removed");
  };
  const SecureServer server(test_router(&calls), tls);
  const std::string key = take(make_private_key());
  const std::string self_signed =
      take(make_self_signed(key, {.common_name = "spark-1",
                                  .dns_names = {machine_host("spark-1")},
                                  .serial = 1,
                                  .not_before = in_hours(-1),
                                  .expires = in_hours(1),
                                  .is_authority = false,
                                  .authority_domain = {}}));
  const struct {
    const char* who;
    std::shared_ptr<TlsCredentials> credentials;
  } cases[] = {
      {"foreign authority", take(TlsCredentials::create(foreign().identity("spark-1"), ours().certificate))},
      {"self-signed", take(TlsCredentials::create({self_signed, key}, ours().certificate))},
      {"expired", ours().credentials("spark-1", -1)},
      {"revoked", ours().credentials("revoked")},
  };
  for (const auto& one : cases) {
    const auto reply = ask(server, one.credentials);
    ASSERT_FALSE(reply) << one.who;
    EXPECT_EQ(reply.error().code, Code::permission) << one.who << ": " << reply.error().message;
  }
  EXPECT_EQ(calls, 0);
  EXPECT_TRUE(ask(server, ours().credentials("spark-1")));
}

TEST(Tls, ServersThatAreNotTheExpectedMachineGetNoRequest) {
  std::atomic<int> calls = 0;
  const auto mine = ours().credentials("spark-1");
  TlsServerOptions foreign_tls;
  foreign_tls.credentials =
      take(TlsCredentials::create(foreign().identity("studio"), ours().certificate));
  TlsServerOptions expired_tls;
  expired_tls.credentials = ours().credentials("studio", -1);
  TlsServerOptions other_tls;
  other_tls.credentials = ours().credentials("laptop");
  for (const TlsServerOptions& tls : {foreign_tls, expired_tls, other_tls}) {
    const SecureServer server(test_router(&calls), tls);
    const auto reply = ask(server, mine);
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, Code::permission) << reply.error().message;
    EXPECT_TRUE(reply.error().message.starts_with("studio at ")) << reply.error().message;
  }
  EXPECT_EQ(calls, 0);
}

TEST(Tls, AClientMayRefuseWhomTheAuthoritySigned) {
  std::atomic<int> calls = 0;
  TlsServerOptions tls;
  tls.credentials = ours().credentials("studio");
  const SecureServer server(test_router(&calls), tls);
  std::vector<std::string> seen;
  bool is_admitted = false;
  CurlClientOptions options;
  options.tls = ours().credentials("spark-1");
  options.admit = [&](const PeerIdentity& peer) -> Result<> {
    seen.push_back(peer.certificate.common_name);
    EXPECT_TRUE(peer.from_authority);
    return is_admitted ? Result<>() : fail(Code::permission, "it was removed");
  };
  const auto client = make_curl_client(std::move(options));
  const auto refused = client->send(server.request("GET", "/who"), soon(), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::permission) << refused.error().message;
  EXPECT_EQ(calls, 0);
  is_admitted = true;
  EXPECT_TRUE(client->send(server.request("GET", "/who"), soon(), {}));
  EXPECT_EQ(seen, (std::vector<std::string>{"studio", "studio"}));
}

TEST(Tls, RequestsNameTheirMachine) {
  const SecureServer server;
  const auto client = client_as(ours().credentials("spark-1"));
  ClientRequest nameless = server.request("GET", "/who");
  nameless.expected_machine.clear();
  ClientRequest strange = server.request("GET", "/who");
  strange.expected_machine = "a/b";
  ClientRequest plain = server.request("GET", "/who");
  plain.address.tls = false;
  for (const ClientRequest& request : {nameless, strange, plain}) {
    const auto reply = client->send(request, soon(), {});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, Code::invalid_argument);
  }
}

TEST(Tls, ARevocationEndsKeptConnectionsAtTheirNextRequest) {
  std::atomic<bool> revoked = false;
  std::atomic<int> calls = 0;
  TlsServerOptions tls;
  tls.admit = [&](const PeerIdentity&) -> Result<> {
    if (revoked) return fail(Code::permission, "was removed");
    return {};
  };
  const SecureServer server(test_router(&calls), tls);
  const auto client = client_as(ours().credentials("spark-1"));
  EXPECT_TRUE(client->send(server.request("GET", "/who"), soon(), {}));
  revoked = true;
  EXPECT_FALSE(client->send(server.request("GET", "/who"), soon(), {}));
  EXPECT_EQ(calls, 1);
}

TEST(Tls, WhatAPeerMayNotAskEndsWithoutAnAnswer) {
  TlsServerOptions tls;
  tls.allow = [](const PeerIdentity&, std::string_view method, std::string_view path) -> Result<> {
    if (method == "GET" && path == "/who") return {};
    return fail(Code::permission, "only /who");
  };
  const SecureServer server(tls);
  const auto client = client_as(ours().credentials("spark-1"));
  EXPECT_TRUE(client->send(server.request("GET", "/who"), soon(), {}));
  EXPECT_FALSE(client->send(server.request("GET", "/nothing-there"), soon(), {}));
  EXPECT_FALSE(client->send(server.request("POST", "/echo"), soon(), {}));
}

TEST(Tls, AnExchangedIdentityIsShownFromTheNextHandshakeOn) {
  TlsServerOptions tls;
  tls.credentials = ours().credentials("studio");
  const SecureServer server(tls);
  EXPECT_TRUE(ask(server, ours().credentials("spark-1")));
  ASSERT_TRUE(tls.credentials->replace(ours().identity("laptop")));
  EXPECT_FALSE(ask(server, ours().credentials("spark-1")));
  EXPECT_FALSE(tls.credentials->replace({ours().certificate, take(make_private_key())}));
}

// --- without libcurl: what comes over the wire

std::string answer_to(const SecureServer& server, std::string_view bytes) {
  const auto stream = server.connect();
  write_text(*stream, bytes);
  return read_to_end(*stream);
}

TEST(Tls, WhoDoesNotSpeakTlsReadsNoHttp) {
  const SecureServer server;
  for (const std::string_view bytes :
       {"GET /who HTTP/1.1\r\nHost: h\r\n\r\n"sv, "\0\1\2\3garbage\xff\xfe and more"sv,
        "\x16\x03\x01\x40\x00 a hello that is longer than any"sv}) {
    const auto stream = server.connect();
    write_text(*stream, bytes);
    stream->shutdown_write();
    const std::string answer = read_to_end(*stream);
    EXPECT_LE(answer.size(), 7u);  // a TLS alert
    EXPECT_EQ(answer.find("HTTP"), std::string::npos);
  }
}

TEST(Tls, ASlowHandshakeIsCutAtItsDeadline) {
  TlsServerOptions tls;
  tls.handshake_time_max = milliseconds(50);
  const SecureServer server(tls);
  EXPECT_EQ(read_to_end(*server.connect()), "");
  EXPECT_EQ(answer_to(server, "\x16\x03\x01"), "");
}

TEST(Tls, BeyondTheLimitConnectionsJustClose) {
  TlsServerOptions tls;
  tls.handshake_time_max = std::chrono::hours(1);
  HttpServerOptions options = secured(tls);
  options.connections_max = 1;
  const TestServer server(test_router(), options);
  const auto first = server.connect();
  EXPECT_EQ(read_to_end(*server.connect()), "");
}

TEST(Tls, StoppingDoesNotWaitForHandshakes) {
  TlsServerOptions tls;
  tls.handshake_time_max = std::chrono::hours(1);
  SecureServer server(tls);
  const auto silent = server.connect();
  server.server->stop();
  EXPECT_EQ(read_to_end(*silent), "");
}

TEST(Tls, ClientsThatVanishLeaveNothing) {
  const SecureServer server;
  for (int i = 0; i < 20; ++i) {
    const auto stream = server.connect();
    if (i % 2 == 0) write_text(*stream, "\x16\x03\x01");
  }
  EXPECT_TRUE(ask(server, ours().credentials("spark-1")));
}

TlsClientOptions dial(std::shared_ptr<TlsCredentials> credentials) {
  return {.credentials = std::move(credentials), .expected_machine = "studio", .authority_sha256 = {}};
}

TEST(TlsStream, CarriesBytesAndItsGoodbye) {
  const SecureServer server;
  auto stream = take(make_tls_client_stream(server.connect(), dial(ours().credentials("spark-1"))));
  EXPECT_EQ(stream->peer_identity(), nullptr);
  ASSERT_TRUE(stream->handshake(soon(), {}));
  EXPECT_EQ(stream->peer_identity()->certificate.common_name, "studio");
  ASSERT_EQ(stream->peer_chain().size(), 2u);
  EXPECT_EQ(stream->peer_chain()[1], ours().certificate);
  write_text(*stream, "GET /who HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string answer = read_to_end(*stream);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_NE(answer.find("spark-1"), std::string::npos);
}

TEST(TlsStream, WithoutTheGoodbyeAnEndIsACut) {
  auto [server, client] = make_tls_pair(make_memory_streams());
  std::byte block[16];
  server->transport().close();
  const auto cut = client->read_some(block, soon(), {});
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Code::unavailable);
}

TEST(TlsStream, DamagedBytesAreNoticed) {
  auto [server, client] = make_tls_pair(make_memory_streams());
  std::byte block[16];
  ASSERT_TRUE(server->transport().write_all(
      as_byte_span(std::string_view("\x17\x03\x03\x00\x11" "seventeen bytes..", 22)), soon(), {}));
  const auto read = client->read_some(block, soon(), {});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::corrupt) << read.error().message;
}

TEST(TlsStream, BothDirectionsAtOnce) {
  auto [server, client] = make_tls_pair(make_memory_streams(4096));
  const Bytes sent = random_secret(1'000'000);
  const auto send = [&](Stream& stream) {
    EXPECT_TRUE(stream.write_all(sent, soon(), {}));
    stream.shutdown_write();
  };
  const auto receive = [&](Stream& stream) { EXPECT_TRUE(read_to_end(stream) == as_text(sent)); };
  const Thread one("send", [&, &stream = *client] { send(stream); });
  const Thread two("send", [&, &stream = *server] { send(stream); });
  const Thread three("receive", [&, &stream = *server] { receive(stream); });
  receive(*client);
}

TEST(TlsStream, AClientMayRefuseWhomTheAuthoritySigned) {
  const SecureServer server;
  for (const bool is_admitted : {false, true}) {
    TlsClientOptions options = dial(ours().credentials("spark-1"));
    options.admit = [&](const PeerIdentity&) -> Result<> {
      return is_admitted ? Result<>() : fail(Code::permission, "it was removed");
    };
    const auto stream = take(make_tls_client_stream(server.connect(), options));
    EXPECT_EQ(stream->handshake(soon(), {}).has_value(), is_admitted);
  }
}

TEST(TlsStream, AnAuthorityCanBeNamedByItsDigest) {
  const auto identity = ours().identity("studio");
  TlsServerOptions tls;
  tls.credentials = take(TlsCredentials::create(identity, ours().certificate));
  const SecureServer server(tls);
  const std::string digest = take(read_certificate(ours().certificate)).certificate_sha256;
  const auto credentials = take(TlsCredentials::create(ours().identity("spark-1"), ""));
  TlsClientOptions options = dial(credentials);
  EXPECT_FALSE(take(make_tls_client_stream(server.connect(), options))->handshake(soon(), {}));
  options.authority_sha256 = digest.substr(0, 32);
  EXPECT_TRUE(take(make_tls_client_stream(server.connect(), options))->handshake(soon(), {}));
  options.authority_sha256 = std::string(32, '0');
  EXPECT_FALSE(take(make_tls_client_stream(server.connect(), options))->handshake(soon(), {}));
  const std::string own = take(read_certificate(identity.certificate_pem)).certificate_sha256;
  options.authority_sha256 = own.substr(0, 32);  // the server's own certificate is no authority
  EXPECT_FALSE(take(make_tls_client_stream(server.connect(), options))->handshake(soon(), {}));
  options.authority_sha256 = digest.substr(0, 32);
  options.expected_machine = "laptop";
  EXPECT_FALSE(take(make_tls_client_stream(server.connect(), options))->handshake(soon(), {}));
  options.authority_sha256 = digest.substr(0, 8);
  EXPECT_FALSE(make_tls_client_stream(server.connect(), options));
}

// --- streams and clients that leave

TEST(Tls, StreamsArriveAsTheyAreMadeAndEndWithTheirClient) {
  QuietLife life;
  Router router;
  router.add("GET", "/quiet", [&](Request&, const PathParams&) -> Result<Response> {
    return Response::stream(std::make_unique<QuietSource>(life), "text/plain");
  });
  const SecureServer server(std::move(router), {});
  const auto client = client_as(ours().credentials("spark-1"));
  auto stream = take(client->open_stream(server.request("GET", "/quiet"), soon(), {}));
  EXPECT_EQ(as_text(take(stream->read(soon()))), "first\n");
  EXPECT_TRUE(life.waiting.wait());
  stream.reset();
  EXPECT_TRUE(life.stopped.wait());
  EXPECT_TRUE(life.destroyed.wait());
}

}  // namespace
}  // namespace hearth::net
