#include "hearth/net/x509.h"

#include <fmt/format.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>

#include "hearth/base/check.h"
#include "hearth/net/openssl_handles.h"

namespace hearth::net {
namespace {

constexpr std::size_t certificates_max = 10;
constexpr std::size_t signature_hex_max = 512;

Result<> set_name(X509* certificate, const std::string& common_name) {
  X509_NAME* name = X509_get_subject_name(certificate);
  if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(common_name.data()),
                                 static_cast<int>(common_name.size()), -1, 0) != 1) {
    return fail_openssl(Code::invalid_argument, fmt::format("the name '{}'", common_name));
  }
  return {};
}

Result<> add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const OpensslHandle<X509_EXTENSION, X509_EXTENSION_free> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1) {
    return fail_openssl(Code::internal, "a certificate's extension " + value);
  }
  return {};
}

Result<> add_extensions(X509* certificate, X509* issuer, const CertificateTerms& terms) {
  const auto add = [&](int nid, const std::string& value) {
    return add_extension(certificate, issuer, nid, value);
  };
  if (terms.is_authority) {
    TRY(add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
    TRY(add(NID_key_usage, "critical,keyCertSign,digitalSignature"));
    if (!terms.authority_domain.empty()) {
      TRY(add(NID_name_constraints, "critical,permitted;DNS:" + terms.authority_domain));
    }
  } else {
    TRY(add(NID_basic_constraints, "critical,CA:FALSE"));
    TRY(add(NID_key_usage, "critical,digitalSignature"));
    TRY(add(NID_ext_key_usage, "serverAuth,clientAuth"));
  }
  TRY(add(NID_subject_key_identifier, "hash"));
  if (issuer != certificate) TRY(add(NID_authority_key_identifier, "keyid"));
  std::string names;
  for (const std::string& name : terms.dns_names) {
    names += (names.empty() ? "DNS:" : ",DNS:") + name;
  }
  if (!names.empty()) TRY(add(NID_subject_alt_name, names));
  return {};
}

// Ed25519 signs the text itself; everything else its SHA-256.
const EVP_MD* digest_for(const EVP_PKEY* key) {
  return EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 ? nullptr : EVP_sha256();
}

// `issuer` nullptr: signed by its own key.
Result<std::string> make_certificate(EVP_PKEY* subject_key, const CertificateTerms& terms,
                                     X509* issuer, EVP_PKEY* issuer_key) {
  const CertificateHandle made(X509_new());
  CHECK(made != nullptr);
  X509* certificate = made.get();
  TRY(set_name(certificate, terms.common_name));
  const bool filled =
      X509_set_version(certificate, X509_VERSION_3) == 1 &&
      ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), terms.serial) == 1 &&
      ASN1_TIME_set(X509_getm_notBefore(certificate),
                    terms.not_before.time_since_epoch().count()) != nullptr &&
      ASN1_TIME_set(X509_getm_notAfter(certificate), terms.expires.time_since_epoch().count()) !=
          nullptr &&
      X509_set_issuer_name(certificate,
                           X509_get_subject_name(issuer ? issuer : certificate)) == 1 &&
      X509_set_pubkey(certificate, subject_key) == 1;
  if (!filled) return fail_openssl(Code::internal, "filling in a certificate");
  TRY(add_extensions(certificate, issuer ? issuer : certificate, terms));
  if (X509_sign(certificate, issuer_key, digest_for(issuer_key)) == 0) {
    return fail_openssl(Code::internal, "signing a certificate");
  }
  const BioHandle out(BIO_new(BIO_s_mem()));
  CHECK(out && PEM_write_bio_X509(out.get(), certificate) == 1);
  return text_of(out.get());
}

Result<std::string> private_key_text(EVP_PKEY* key) {
  const BioHandle out(BIO_new(BIO_s_mem()));
  if (!out || PEM_write_bio_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return fail_openssl(Code::internal, "writing a private key");
  }
  return text_of(out.get());
}

bool is_accepted_key(EVP_PKEY* key) {
  if (EVP_PKEY_get_id(key) == EVP_PKEY_ED25519) return true;
  char group[32] = {};
  return EVP_PKEY_get_id(key) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(key, group, sizeof(group), nullptr) == 1 &&
         std::string_view(group) == "prime256v1";
}

}  // namespace

Bytes random_secret(std::size_t bytes) {
  Bytes out(bytes);
  CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(bytes)) == 1);
  return out;
}

Result<std::string> make_private_key() {
  const KeyHandle key(EVP_EC_gen("P-256"));
  if (!key) return fail_openssl(Code::internal, "making a key");
  return private_key_text(key.get());
}

Result<std::string> make_private_key_of_seed(const Digest256& seed) {
  const KeyHandle key(EVP_PKEY_new_raw_private_key(
      EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(seed.bytes.data()),
      seed.bytes.size()));
  if (!key) return fail_openssl(Code::internal, "making a key");
  return private_key_text(key.get());
}

Result<std::string> make_self_signed(std::string_view private_key_pem,
                                     const CertificateTerms& terms) {
  const KeyHandle key = TRY(parse_private_key(private_key_pem));
  return make_certificate(key.get(), terms, nullptr, key.get());
}

Result<std::string> make_certificate_request(std::string_view private_key_pem) {
  const KeyHandle key = TRY(parse_private_key(private_key_pem));
  const RequestHandle request(X509_REQ_new());
  const BioHandle out(BIO_new(BIO_s_mem()));
  CHECK(request && out);
  if (X509_REQ_set_pubkey(request.get(), key.get()) != 1 ||
      X509_REQ_sign(request.get(), key.get(), digest_for(key.get())) == 0 ||
      PEM_write_bio_X509_REQ(out.get(), request.get()) != 1) {
    return fail_openssl(Code::internal, "making a certificate request");
  }
  return text_of(out.get());
}

Result<std::string> sign_request(std::string_view request_pem, const CertificateTerms& terms,
                                 std::string_view authority_pem,
                                 std::string_view authority_key_pem) {
  TRY(check_pem_size(request_pem, "a certificate request"));
  const RequestHandle request(
      PEM_read_bio_X509_REQ(read_bio(request_pem).get(), nullptr, no_passphrase, nullptr));
  if (!request) return fail_openssl(Code::invalid_argument, "a certificate request (PEM)");
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || !is_accepted_key(key)) {
    ERR_clear_error();
    return fail(Code::invalid_argument, "a certificate request needs a P-256 or Ed25519 key");
  }
  if (X509_REQ_verify(request.get(), key) != 1) {
    return fail_openssl(Code::invalid_argument, "a certificate request's signature");
  }
  const CertificateHandle authority = TRY(parse_certificate(authority_pem));
  const KeyHandle authority_key = TRY(parse_private_key(authority_key_pem));
  return make_certificate(key, terms, authority.get(), authority_key.get());
}

Result<CertificateFacts> read_certificate(std::string_view pem) {
  const CertificateHandle certificate = TRY(parse_certificate(pem));
  return facts_of(certificate.get());
}

Result<std::vector<std::string>> split_certificates(std::string_view pem) {
  TRY(check_pem_size(pem, "certificates"));
  const BioHandle in = read_bio(pem);
  std::vector<std::string> out;
  for (;;) {
    const CertificateHandle one(PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr));
    if (!one) break;
    if (out.size() == certificates_max) {
      return fail(Code::invalid_argument, fmt::format("more than {} certificates", certificates_max));
    }
    const BioHandle text(BIO_new(BIO_s_mem()));
    CHECK(text && PEM_write_bio_X509(text.get(), one.get()) == 1);
    out.push_back(text_of(text.get()));
  }
  ERR_clear_error();
  return out;
}

Result<> check_key_of(std::string_view certificate_pem, std::string_view private_key_pem) {
  const CertificateHandle certificate = TRY(parse_certificate(certificate_pem));
  const KeyHandle key = TRY(parse_private_key(private_key_pem));
  if (X509_check_private_key(certificate.get(), key.get()) == 1) return {};
  return fail_openssl(Code::invalid_argument, "the private key is not the certificate's");
}

Result<> check_signed_by(std::string_view certificate_pem, std::string_view authority_pem) {
  const CertificateHandle certificate = TRY(parse_certificate(certificate_pem));
  const CertificateHandle authority = TRY(parse_certificate(authority_pem));
  EVP_PKEY* key = X509_get0_pubkey(authority.get());
  if (key != nullptr && X509_verify(certificate.get(), key) == 1) return {};
  return fail_openssl(Code::permission, "the authority has not signed this certificate");
}

Result<std::string> sign_text(std::string_view private_key_pem, std::string_view text) {
  const KeyHandle key = TRY(parse_private_key(private_key_pem));
  const DigestHandle context(EVP_MD_CTX_new());
  std::array<unsigned char, 128> signature{};  // P-256: at most 72 bytes, Ed25519: 64
  std::size_t bytes = signature.size();
  if (!context ||
      EVP_DigestSignInit(context.get(), nullptr, digest_for(key.get()), nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &bytes,
                     reinterpret_cast<const unsigned char*>(text.data()), text.size()) != 1) {
    return fail_openssl(Code::internal, "signing");
  }
  return to_hex(std::as_bytes(std::span(signature).first(bytes)));
}

Result<> check_signature(std::string_view certificate_pem, std::string_view text,
                         std::string_view signature_hex) {
  if (signature_hex.size() > signature_hex_max) return fail(Code::corrupt, "a signature too long");
  const Bytes signature = TRY(from_hex(signature_hex));
  const CertificateHandle certificate = TRY(parse_certificate(certificate_pem));
  EVP_PKEY* key = X509_get0_pubkey(certificate.get());
  const DigestHandle context(EVP_MD_CTX_new());
  if (key == nullptr || !context ||
      EVP_DigestVerifyInit(context.get(), nullptr, digest_for(key), nullptr, key) != 1 ||
      EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                       signature.size(), reinterpret_cast<const unsigned char*>(text.data()),
                       text.size()) != 1) {
    ERR_clear_error();
    return fail(Code::corrupt, "the signature is not the authority's");
  }
  return {};
}

}  // namespace hearth::net
