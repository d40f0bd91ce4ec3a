#pragma once
// TLS 1.3 over a Stream, both ends showing a certificate. Used by HttpServer and the curl client,
// and directly for tunnels. No other version is spoken, no session is resumed: each connection
// proves both keys, and asks the caller's check, anew.
//
// What counts is that an authority of ours signed the peer's certificate and that it names the
// expected machine; addresses and host names mean nothing. Machine NAME is certified as the DNS
// name NAME.hearth.internal, so that ordinary TLS verification compares it.
//
// Errors: permission (a certificate, ours or theirs, was refused; the peer does not speak TLS 1.3),
// and those of Stream. Errors say which side refused and why.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/guarded.h"
#include "hearth/net/peer_identity.h"
#include "hearth/net/stream.h"

namespace hearth::net {

inline constexpr std::string_view machine_domain = "hearth.internal";
std::string machine_host(std::string_view machine);  // "studio" to "studio.hearth.internal"

// What a process shows of itself.
struct TlsIdentity {
  std::string certificate_pem;  // its own first, then what signed it
  std::string private_key_pem;
};

// An identity and the authority it trusts. The identity can be exchanged while the process runs:
// connections that stand keep theirs, handshakes from then on show the new one. Thread-safe.
class TlsCredentials {
 public:
  // corrupt or invalid_argument when the texts are no certificate and key, or not a pair. An empty
  // `authority_pem` trusts nobody (see TlsClientOptions::authority_sha256).
  static Result<std::shared_ptr<TlsCredentials>> create(TlsIdentity identity,
                                                        std::string authority_pem);
  Result<> replace(TlsIdentity identity);

  struct Parts {
    TlsIdentity identity;
    std::string authority_pem;
  };
  std::shared_ptr<const Parts> current() const;

  struct Contexts;  // private to net
  explicit TlsCredentials(std::shared_ptr<const Contexts> contexts) : contexts_(std::move(contexts)) {}
  std::shared_ptr<const Contexts> contexts() const;

 private:
  Guarded<std::shared_ptr<const Contexts>> contexts_;
};

// The caller's logic over a verified identity; an Error refuses, its message stays on this side.
// Called by many threads at once.
using AdmitPeer = std::function<Result<>(const PeerIdentity&)>;

struct TlsServerOptions {
  std::shared_ptr<TlsCredentials> credentials;
  // In each handshake, and again before each request on a kept connection, so that a revocation
  // takes effect at once. Empty: everybody whom the authority signed.
  AdmitPeer admit;
  // Before each request, with its method and path as sent. A refusal closes without an answer.
  std::function<Result<>(const PeerIdentity&, std::string_view method, std::string_view path)> allow;
  // Lets `admit` decide on self-signed certificates (PeerIdentity::from_authority is false).
  bool ask_about_self_signed = false;
  Duration handshake_time_max = std::chrono::seconds(5);
};

struct TlsClientOptions {
  std::shared_ptr<TlsCredentials> credentials;
  std::string expected_machine;
  // Instead of the credentials' authority: the certificate in the peer's chain whose SHA-256
  // begins with these hex digits, at least 32 of them.
  std::string authority_sha256;
  AdmitPeer admit;  // asked about the server in the handshake; empty: everybody whom the authority signed
};

class TlsStream : public Stream {
 public:
  // Once, before anything else; on failure the stream is of no more use. A server returns when the
  // peer's certificate has been verified and admitted. A client may return before the server has
  // looked at its certificate: a refusal then comes out of the first read.
  virtual Result<> handshake(Deadline deadline, const StopToken& stop) = 0;
  // After the handshake: who the peer is, and its certificates as sent, its own first.
  const PeerIdentity* peer_identity() const override = 0;
  virtual std::vector<std::string> peer_chain() const = 0;
  // The stream below.
  virtual Stream& transport() = 0;
};

// Take a connected stream. No I/O happens before handshake().
Result<std::unique_ptr<TlsStream>> make_tls_server_stream(std::unique_ptr<Stream> inner,
                                                          const TlsServerOptions& options);
Result<std::unique_ptr<TlsStream>> make_tls_client_stream(std::unique_ptr<Stream> inner,
                                                          const TlsClientOptions& options);

}  // namespace hearth::net
