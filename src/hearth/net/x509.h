#pragma once
// Keys and certificates as PEM text: make, sign, read. Policy (names, lifetimes, who is trusted)
// is the caller's; verification of chains belongs to TLS (net/tls.h). Pure but for the system's
// random numbers; thread-safe. OpenSSL does the work and does not leave x509.cpp.
//
// Foreign input (requests, certificates) is invalid_argument or corrupt when it is not what it
// should be, and bounded by pem_bytes_max.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/bytes.h"
#include "hearth/base/digest.h"
#include "hearth/base/result.h"
#include "hearth/net/peer_identity.h"

namespace hearth::net {

inline constexpr std::size_t pem_bytes_max = 64 * 1024;

// From the system's generator for secrets.
Bytes random_secret(std::size_t bytes);

// Private keys, PKCS #8 PEM without a passphrase.
Result<std::string> make_private_key();                             // ECDSA P-256
Result<std::string> make_private_key_of_seed(const Digest256& seed);  // Ed25519 (RFC 8032)

struct CertificateTerms {
  std::string common_name;
  std::vector<std::string> dns_names;
  std::uint64_t serial = 1;
  std::chrono::sys_seconds not_before{};
  std::chrono::sys_seconds expires{};
  // An authority signs others, but no further authorities. With `authority_domain` it can vouch
  // for names inside that domain only (RFC 5280 section 4.2.1.10).
  bool is_authority = false;
  std::string authority_domain;
};
Result<std::string> make_self_signed(std::string_view private_key_pem,
                                     const CertificateTerms& terms);

// PKCS #10: a public key with the proof that its sender has the private one. It names nobody.
Result<std::string> make_certificate_request(std::string_view private_key_pem);
// Takes the key alone from the request, and only P-256 and Ed25519 keys; `terms` say the rest.
Result<std::string> sign_request(std::string_view request_pem, const CertificateTerms& terms,
                                 std::string_view authority_pem,
                                 std::string_view authority_key_pem);

// The first certificate in the text; all of them, each as PEM of its own (at most ten).
Result<CertificateFacts> read_certificate(std::string_view pem);
Result<std::vector<std::string>> split_certificates(std::string_view pem);
// invalid_argument unless the private key is the first certificate's.
Result<> check_key_of(std::string_view certificate_pem, std::string_view private_key_pem);

// permission unless the authority's key signed the first certificate. Looks at nothing else:
// times and chains are TLS's business.
Result<> check_signed_by(std::string_view certificate_pem, std::string_view authority_pem);

// Hex of the signature over SHA-256 of the text. The check takes the first certificate's key.
Result<std::string> sign_text(std::string_view private_key_pem, std::string_view text);
Result<> check_signature(std::string_view certificate_pem, std::string_view text,
                         std::string_view signature_hex);

}  // namespace hearth::net
