#pragma once
// Ownership of OpenSSL's objects, and its errors as ours. Private to net's files over OpenSSL.

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

#include "hearth/base/result.h"
#include "hearth/net/peer_identity.h"

namespace hearth::net {

template <auto free_function>
struct OpensslFree {
  template <class T>
  void operator()(T* object) const {
    free_function(object);
  }
};
template <class T, auto free_function>
using OpensslHandle = std::unique_ptr<T, OpensslFree<free_function>>;

using BioHandle = OpensslHandle<BIO, BIO_free>;
using KeyHandle = OpensslHandle<EVP_PKEY, EVP_PKEY_free>;
using CertificateHandle = OpensslHandle<X509, X509_free>;
using RequestHandle = OpensslHandle<X509_REQ, X509_REQ_free>;
using DigestHandle = OpensslHandle<EVP_MD_CTX, EVP_MD_CTX_free>;
using SslContextHandle = OpensslHandle<SSL_CTX, SSL_CTX_free>;
using SslHandle = OpensslHandle<SSL, SSL_free>;

// The newest reason in this thread's error queue, which is emptied; "" when there is none.
std::string take_openssl_reason();
std::unexpected<Error> fail_openssl(Code code, std::string_view what,
                                    std::source_location where = std::source_location::current());

// invalid_argument beyond pem_bytes_max.
Result<> check_pem_size(std::string_view pem, std::string_view what);
// For PEM readers: what wants a passphrase is refused, not asked for on the terminal.
int no_passphrase(char*, int, int, void*);
// Reads PEM from memory without a copy; `pem` outlives it.
BioHandle read_bio(std::string_view pem);
std::string text_of(BIO* memory);
Result<KeyHandle> parse_private_key(std::string_view pem);
Result<CertificateHandle> parse_certificate(std::string_view pem);
Result<CertificateFacts> facts_of(X509* certificate);

}  // namespace hearth::net
