#include "hearth/net/tls_context.h"

#include <fmt/format.h>

#include "hearth/base/check.h"
#include "hearth/net/x509.h"

namespace hearth::net {
namespace {

// Only the leaf's own key signs; OpenSSL's chain building says the rest.
bool verify_chain(X509_STORE_CTX* store, PeerCheck& check) {
  if (X509_verify_cert(store) == 1) return true;
  check.refusal = X509_verify_cert_error_string(X509_STORE_CTX_get_error(store));
  return false;
}

// The certificate in the peer's chain with the digest we were told becomes the only trusted one.
bool verify_by_digest(X509_STORE_CTX* store, PeerCheck& check) {
  STACK_OF(X509)* chain = X509_STORE_CTX_get0_untrusted(store);
  const OpensslHandle<stack_st_X509, [](stack_st_X509* s) { sk_X509_free(s); }> trusted(
      sk_X509_new_null());
  CHECK(trusted != nullptr);
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    const auto facts = facts_of(sk_X509_value(chain, i));
    if (facts && facts->certificate_sha256.starts_with(check.authority_sha256)) {
      CHECK(sk_X509_push(trusted.get(), sk_X509_value(chain, i)) > 0);
    }
  }
  X509_STORE_CTX_set0_trusted_stack(store, trusted.get());
  const bool good = verify_chain(store, check);
  X509_STORE_CTX_set0_trusted_stack(store, nullptr);
  return good;
}

bool refuse(X509_STORE_CTX* store, PeerCheck& check, int alert_error, std::string why) {
  X509_STORE_CTX_set_error(store, alert_error);
  check.refusal = std::move(why);
  return false;
}

bool verify(X509_STORE_CTX* store, PeerCheck& check) {
  auto facts = facts_of(X509_STORE_CTX_get0_cert(store));
  if (!facts) return refuse(store, check, X509_V_ERR_UNSPECIFIED, facts.error().message);
  check.identity.certificate = *std::move(facts);
  const bool signed_by_authority = check.authority_sha256.empty() ? verify_chain(store, check)
                                                                  : verify_by_digest(store, check);
  if (!signed_by_authority &&
      (!check.ask_about_self_signed ||
       X509_STORE_CTX_get_error(store) != X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT)) {
    return false;
  }
  check.identity.from_authority = signed_by_authority;
  if (check.admit) {
    if (auto admitted = check.admit(check.identity); !admitted) {
      return refuse(store, check,
                    signed_by_authority ? X509_V_ERR_CERT_REVOKED
                                        : X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
                    std::move(admitted).error().message);
    }
  }
  X509_STORE_CTX_set_error(store, X509_V_OK);
  check.refusal.clear();
  return true;
}

int on_verify(X509_STORE_CTX* store, void*) {
  auto* ssl = static_cast<SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* check = static_cast<PeerCheck*>(SSL_get_app_data(ssl));
  return verify(store, *check) ? 1 : 0;
}

int on_verify_server(X509_STORE_CTX* store, void* admit) {
  PeerCheck check;
  check.admit = *static_cast<const AdmitPeer*>(admit);
  return verify(store, check) ? 1 : 0;
}

Result<> add_identity(SSL_CTX* context, const TlsIdentity& identity) {
  const auto chain = TRY(split_certificates(identity.certificate_pem));
  if (chain.empty()) return fail(Code::corrupt, "no certificate in the text");
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const CertificateHandle certificate = TRY(parse_certificate(chain[i]));
    const int added = i == 0 ? SSL_CTX_use_certificate(context, certificate.get())
                             : static_cast<int>(SSL_CTX_add1_chain_cert(context, certificate.get()));
    if (added != 1) return fail_openssl(Code::invalid_argument, "a certificate");
  }
  const KeyHandle key = TRY(parse_private_key(identity.private_key_pem));
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return fail_openssl(Code::invalid_argument, "the private key is not the certificate's");
  }
  return {};
}

Result<> add_authority(SSL_CTX* context, std::string_view authority_pem) {
  if (authority_pem.empty()) return {};
  const CertificateHandle authority = TRY(parse_certificate(authority_pem));
  if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1) {
    return fail_openssl(Code::invalid_argument, "the authority's certificate");
  }
  return {};
}

Result<SslContextHandle> make_context(const SSL_METHOD* method, const TlsCredentials::Parts& parts) {
  SslContextHandle made(SSL_CTX_new(method));
  CHECK(made != nullptr);
  SSL_CTX* context = made.get();
  CHECK(SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1);
  CHECK(SSL_CTX_set_num_tickets(context, 0) == 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, on_verify, nullptr);
  TRY(add_identity(context, parts.identity));
  TRY(add_authority(context, parts.authority_pem));
  return made;
}

Result<std::shared_ptr<const TlsCredentials::Contexts>> make_contexts(TlsCredentials::Parts parts) {
  auto out = std::make_shared<TlsCredentials::Contexts>();
  out->server = TRY(make_context(TLS_server_method(), parts));
  out->client = TRY(make_context(TLS_client_method(), parts));
  out->parts = std::move(parts);
  return out;
}

}  // namespace

void ask_about_servers(SSL_CTX* context, const AdmitPeer& admit) {
  SSL_CTX_set_cert_verify_callback(context, on_verify_server, const_cast<AdmitPeer*>(&admit));
}

std::string machine_host(std::string_view machine) {
  return fmt::format("{}.{}", machine, machine_domain);
}

Result<std::shared_ptr<TlsCredentials>> TlsCredentials::create(TlsIdentity identity,
                                                               std::string authority_pem) {
  auto contexts = TRY(make_contexts({std::move(identity), std::move(authority_pem)}));
  return std::make_shared<TlsCredentials>(std::move(contexts));
}

Result<> TlsCredentials::replace(TlsIdentity identity) {
  auto contexts = TRY(make_contexts({std::move(identity), current()->authority_pem}));
  contexts_.with([&](auto& held) { held = std::move(contexts); });
  return {};
}

std::shared_ptr<const TlsCredentials::Parts> TlsCredentials::current() const {
  auto held = contexts();
  const Parts* parts = &held->parts;
  return {std::move(held), parts};
}

std::shared_ptr<const TlsCredentials::Contexts> TlsCredentials::contexts() const {
  return contexts_.with([](const auto& held) { return held; });
}

}  // namespace hearth::net
