#pragma once
// The one-time code that lets a machine join, as people copy it from one terminal to another:
//
//   hearth-1/MACHINE@HOST:PORT/SECRET/AUTHORITY/CHECK
//
// who to ask and where; 16 random bytes; the first half of the SHA-256 of the authority's
// certificate; two bytes against typing errors; all in hex. From the secret both sides derive an
// Ed25519 key. The joining machine proves in its TLS handshake that it has it; the inviting side
// keeps only the digest of the public half. So nobody without the code gets in, and nobody who
// reads the inviter's disk learns the code. Pure, but for the random numbers of make_join_code.

#include <string>
#include <string_view>

#include "hearth/base/result.h"
#include "hearth/net/address.h"
#include "hearth/net/tls.h"

namespace hearth::node {

struct JoinCode {
  std::string machine;  // the inviting one
  net::Address address;
  std::string secret;            // 32 hex digits
  std::string authority_sha256;  // the first 32 hex digits
  bool operator==(const JoinCode&) const = default;
};

Result<JoinCode> make_join_code(std::string machine, net::Address address,
                                std::string_view authority_pem);
std::string join_code_text(const JoinCode& code);
// invalid_argument that says what is wrong. White space around is allowed.
Result<JoinCode> parse_join_code(std::string_view text);

// What the joining machine shows while it asks for its certificate.
Result<net::TlsIdentity> invited_identity(const JoinCode& code);
// CertificateFacts::public_key_sha256 of that identity: what the inviting side remembers.
Result<std::string> invited_key_digest(const JoinCode& code);

}  // namespace hearth::node
