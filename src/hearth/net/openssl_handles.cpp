#include "hearth/net/openssl_handles.h"

#include <fmt/format.h>

#include <array>
#include <ctime>

#include "hearth/base/check.h"
#include "hearth/net/x509.h"

namespace hearth::net {
namespace {

Result<std::chrono::sys_seconds> time_of(const ASN1_TIME* time) {
  std::tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return fail(Code::corrupt, "a certificate without dates");
  return std::chrono::sys_seconds(std::chrono::seconds(::timegm(&fields)));
}

std::string sha256_hex_of_key(const X509* certificate) {
  unsigned char* der = nullptr;
  const int bytes = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  std::array<unsigned char, 32> digest{};
  const bool done = bytes > 0 && EVP_Digest(der, static_cast<std::size_t>(bytes), digest.data(),
                                            nullptr, EVP_sha256(), nullptr) == 1;
  OPENSSL_free(der);
  return done ? to_hex(std::as_bytes(std::span(digest))) : "";
}

}  // namespace

std::string take_openssl_reason() {
  std::string out;
  while (const unsigned long code = ERR_get_error()) {
    const char* reason = ERR_reason_error_string(code);
    out = reason != nullptr ? reason : fmt::format("OpenSSL error {:x}", code);
  }
  return out;
}

std::unexpected<Error> fail_openssl(Code code, std::string_view what, std::source_location where) {
  const std::string reason = take_openssl_reason();
  return fail(code, fmt::format("{}: {}", what, reason.empty() ? "refused" : reason), where);
}

BioHandle read_bio(std::string_view pem) {
  CHECK(pem.size() <= pem_bytes_max);
  BioHandle out(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  CHECK(out != nullptr);
  return out;
}

std::string text_of(BIO* memory) {
  char* data = nullptr;
  const long bytes = BIO_get_mem_data(memory, &data);
  return std::string(data, static_cast<std::size_t>(bytes));
}

Result<> check_pem_size(std::string_view pem, std::string_view what) {
  if (pem.size() <= pem_bytes_max) return {};
  return fail(Code::invalid_argument, fmt::format("{}: {} bytes; at most {} are read", what,
                                                  pem.size(), pem_bytes_max));
}

int no_passphrase(char*, int, int, void*) { return 0; }

Result<KeyHandle> parse_private_key(std::string_view pem) {
  TRY(check_pem_size(pem, "a private key"));
  KeyHandle key(PEM_read_bio_PrivateKey(read_bio(pem).get(), nullptr, no_passphrase, nullptr));
  if (!key) return fail_openssl(Code::corrupt, "a private key (PEM, without a passphrase)");
  return key;
}

Result<CertificateHandle> parse_certificate(std::string_view pem) {
  TRY(check_pem_size(pem, "a certificate"));
  CertificateHandle out(PEM_read_bio_X509(read_bio(pem).get(), nullptr, no_passphrase, nullptr));
  if (!out) return fail_openssl(Code::corrupt, "a certificate (PEM)");
  return out;
}

Result<CertificateFacts> facts_of(X509* certificate) {
  CertificateFacts out;
  std::array<char, 256> name{};
  const int bytes = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                              name.data(), name.size());
  if (bytes > 0) out.common_name.assign(name.data(), static_cast<std::size_t>(bytes));
  if (ASN1_INTEGER_get_uint64(&out.serial, X509_get0_serialNumber(certificate)) != 1) out.serial = 0;
  std::array<unsigned char, 32> digest{};
  if (X509_digest(certificate, EVP_sha256(), digest.data(), nullptr) != 1) {
    return fail_openssl(Code::internal, "a certificate's digest");
  }
  out.certificate_sha256 = to_hex(std::as_bytes(std::span(digest)));
  out.public_key_sha256 = sha256_hex_of_key(certificate);
  if (out.public_key_sha256.empty()) return fail_openssl(Code::corrupt, "a certificate's key");
  out.not_before = TRY(time_of(X509_get0_notBefore(certificate)));
  out.expires = TRY(time_of(X509_get0_notAfter(certificate)));
  ERR_clear_error();
  return out;
}

}  // namespace hearth::net
