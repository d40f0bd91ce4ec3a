#pragma once
// Who is at the other end of a TLS connection, as its verified certificate says. Values; no I/O.

#include <chrono>
#include <cstdint>
#include <string>

namespace hearth::net {

// What a certificate (X.509) says of its owner. Digests are SHA-256 in lower-case hex.
struct CertificateFacts {
  std::string common_name;
  std::uint64_t serial = 0;  // 0: none, or beyond 64 bits
  std::string certificate_sha256;
  std::string public_key_sha256;  // of the SubjectPublicKeyInfo, as pins are (RFC 7469 section 2.4)
  std::chrono::sys_seconds not_before{};
  std::chrono::sys_seconds expires{};
  bool operator==(const CertificateFacts&) const = default;
};

struct PeerIdentity {
  CertificateFacts certificate;
  // True: the authority signed the certificate and it is within its time. False: only the key is
  // proved (a self-signed certificate); what else it says is the peer's own claim.
  bool from_authority = false;
  bool operator==(const PeerIdentity&) const = default;
};

}  // namespace hearth::net
