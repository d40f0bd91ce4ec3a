#pragma once
// A small authority for tests: certificates good and bad, made in memory.

#include <chrono>
#include <string>
#include <vector>

#include "hearth/base/thread.h"
#include "hearth/net/test_server.h"
#include "hearth/net/tls.h"
#include "hearth/net/x509.h"

namespace hearth::net {

inline std::chrono::sys_seconds in_hours(int hours) {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) +
         std::chrono::hours(hours);
}

struct TestAuthority {
  TestAuthority() : key(take(make_private_key())) {
    certificate = take(make_self_signed(key, {.common_name = "test cluster",
                                              .dns_names = {},
                                              .serial = 1,
                                              .not_before = in_hours(-1000),
                                              .expires = in_hours(1000),
                                              .is_authority = true,
                                              .authority_domain = std::string(machine_domain)}));
  }

  TlsIdentity identity(const std::string& name, int expires_in_hours = 24,
                       std::uint64_t serial = 2) const {
    TlsIdentity out;
    out.private_key_pem = take(make_private_key());
    out.certificate_pem =
        take(sign_request(take(make_certificate_request(out.private_key_pem)),
                          {.common_name = name,
                           .dns_names = {machine_host(name)},
                           .serial = serial,
                           .not_before = in_hours(std::min(0, expires_in_hours) - 24),
                           .expires = in_hours(expires_in_hours),
                           .is_authority = false,
                           .authority_domain = {}},
                          certificate, key)) +
        certificate;
    return out;
  }
  std::shared_ptr<TlsCredentials> credentials(const std::string& name,
                                              int expires_in_hours = 24) const {
    return take(TlsCredentials::create(identity(name, expires_in_hours), certificate));
  }

  std::string key;
  std::string certificate;
};

using TlsPair = std::pair<std::unique_ptr<TlsStream>, std::unique_ptr<TlsStream>>;

// TLS over both ends of a connection, shaken: the server "studio" and the client "spark-1".
inline TlsPair make_tls_pair(std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> ends) {
  static const TestAuthority authority;
  TlsServerOptions server_options;
  server_options.credentials = authority.credentials("studio");
  TlsClientOptions client_options;
  client_options.credentials = authority.credentials("spark-1");
  client_options.expected_machine = "studio";
  TlsPair out{take(make_tls_server_stream(std::move(ends.first), server_options)),
              take(make_tls_client_stream(std::move(ends.second), client_options))};
  Thread accepting("accepting", [&] { EXPECT_TRUE(out.first->handshake(soon(), {})); });
  EXPECT_TRUE(out.second->handshake(soon(), {}));
  accepting.join();
  return out;
}

}  // namespace hearth::net
