#pragma once
// OpenSSL's contexts for both roles, and the verification that both share. Private to net.

#include <functional>
#include <string>

#include "hearth/net/openssl_handles.h"
#include "hearth/net/tls.h"

namespace hearth::net {

struct TlsCredentials::Contexts {
  Parts parts;
  SslContextHandle server;
  SslContextHandle client;
};

// What one connection's verification is told, and what it finds. Set as the SSL's app data.
struct PeerCheck {
  AdmitPeer admit;
  bool ask_about_self_signed = false;
  std::string authority_sha256;
  PeerIdentity identity;
  std::string refusal;  // empty while nothing was refused
};

// Of a client's context that another library made: whom the authority vouches for has to be admitted, too. `admit`
// outlives the context.
void ask_about_servers(SSL_CTX* context, const AdmitPeer& admit);

}  // namespace hearth::net
