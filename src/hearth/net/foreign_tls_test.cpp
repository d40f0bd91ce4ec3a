// Clients that are not ours, straight from OpenSSL: old versions, no certificate. What they read.
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <memory>

#include "hearth/net/test_tls.h"

namespace hearth::net {
namespace {

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

struct Outcome {
  bool connected = false;
  std::string read;    // what came as application data
  std::string reason;  // OpenSSL's last word
};

// Trusts every server, shows no certificate, asks for /secret.
Outcome visit(const Address& address, int version_max) {
  const auto stream = take(connect_stream(address, soon(), {}));
  const std::unique_ptr<SSL_CTX, SslFree> context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_max_proto_version(context.get(), version_max);
  const std::unique_ptr<SSL, SslFree> ssl(SSL_new(context.get()));
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl.get());
  Outcome out;
  std::array<std::byte, 4096> block;
  for (int round = 0; round < 20; ++round) {
    ERR_clear_error();
    const int result = out.connected ? SSL_read(ssl.get(), block.data(), block.size())
                                     : SSL_do_handshake(ssl.get());
    if (result > 0 && out.connected) out.read += as_text(std::span(block).first(static_cast<std::size_t>(result)));
    if (result == 1 && !out.connected) {
      out.connected = true;
      const std::string_view request = "GET /secret HTTP/1.1\r\nHost: h\r\n\r\n";
      EXPECT_GT(SSL_write(ssl.get(), request.data(), static_cast<int>(request.size())), 0);
    }
    const bool over = result <= 0 && SSL_get_error(ssl.get(), result) != SSL_ERROR_WANT_READ;
    if (const unsigned long error = ERR_peek_last_error()) out.reason = ERR_reason_error_string(error);
    const int sent = BIO_read(SSL_get_wbio(ssl.get()), block.data(), block.size());
    if (sent > 0) (void)stream->write_all(std::span(block).first(static_cast<std::size_t>(sent)), soon(), {});
    if (over) return out;
    if (result > 0) continue;
    const auto count = stream->read_some(block, soon(), {});
    if (!count || *count == 0) return out;
    BIO_write(SSL_get_rbio(ssl.get()), block.data(), static_cast<int>(*count));
  }
  return out;
}

struct SecretServer : TestServer {
  SecretServer() : TestServer(router(), options()) {}
  static Router router() {
    Router out;
    out.add("GET", "/secret", [](Request&, const PathParams&) -> Result<Response> {
      ADD_FAILURE() << "a stranger reached a handler";
      return Response::text(200, "secret");
    });
    return out;
  }
  static HttpServerOptions options() {
    static const TestAuthority authority;
    HttpServerOptions out;
    out.tls.emplace().credentials = authority.credentials("studio");
    return out;
  }
};

TEST(ForeignTls, WithoutACertificateNothingIsRead) {
  const SecretServer server;
  const Outcome outcome = visit(server.address(), TLS1_3_VERSION);
  EXPECT_EQ(outcome.read, "");
  EXPECT_EQ(outcome.reason, "tlsv13 alert certificate required");
}

TEST(ForeignTls, OldVersionsAreRefusedInTheHandshake) {
  const SecretServer server;
  for (const int version : {TLS1_2_VERSION, TLS1_1_VERSION}) {
    const Outcome outcome = visit(server.address(), version);
    EXPECT_FALSE(outcome.connected);
    EXPECT_EQ(outcome.read, "");
  }
}

}  // namespace
}  // namespace hearth::net
