#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <utility>

#include "hearth/base/check.h"
#include "hearth/net/tls_context.h"

namespace hearth::net {
namespace {

constexpr std::size_t read_block_bytes = 32 * 1024;
constexpr std::size_t write_batch_bytes = 64 * 1024;  // of plain bytes, between two writes below
constexpr std::size_t authority_digits_min = 32;

// OpenSSL turns bytes into bytes, in memory; the stream below moves them. So no lock is held while
// anything waits: `ssl_mutex_` guards the SSL object, `writing_` the order of what goes out.
class TlsStreamOverStream final : public TlsStream {
 public:
  TlsStreamOverStream(std::unique_ptr<Stream> inner,
                      std::shared_ptr<const TlsCredentials::Contexts> contexts, SSL_CTX* context,
                      PeerCheck check)
      : inner_(std::move(inner)),
        contexts_(std::move(contexts)),
        check_(std::move(check)),
        ssl_(SSL_new(context)) {
    BIO* in = BIO_new(BIO_s_mem());
    BIO* out = BIO_new(BIO_s_mem());
    CHECK(ssl_ && in && out);
    SSL_set_bio(ssl_.get(), in, out);  // owned by ssl_ from here on
    SSL_set_app_data(ssl_.get(), &check_);
  }
  ~TlsStreamOverStream() override { say_goodbye(); }

  SSL* ssl() { return ssl_.get(); }

  Result<> handshake(Deadline deadline, const StopToken& stop) override {
    for (;;) {
      int done = 0;
      int wanted = 0;
      {
        const std::lock_guard hold(ssl_mutex_);
        ERR_clear_error();
        done = SSL_do_handshake(ssl_.get());
        wanted = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), done);
      }
      {
        const std::lock_guard order(writing_);
        const Result<> sent = send_pending(deadline, stop);  // an alert too
        if (done != 1 && wanted != SSL_ERROR_WANT_READ) return refused();
        TRY(sent);
      }
      if (done == 1) {
        established_ = true;
        return {};
      }
      const std::size_t received = TRY(receive(deadline, stop));
      if (received == 0) {
        return fail(Code::unavailable, peer() + ": the connection ended inside the TLS handshake");
      }
    }
  }

  const PeerIdentity* peer_identity() const override {
    return established_ ? &check_.identity : nullptr;
  }

  std::vector<std::string> peer_chain() const override {
    const std::lock_guard hold(ssl_mutex_);
    std::vector<std::string> out;
    const CertificateHandle own(SSL_get1_peer_certificate(ssl_.get()));
    if (SSL_is_server(ssl_.get()) && own) out.push_back(pem_of(own.get()));
    STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl_.get());
    for (int i = 0; i < sk_X509_num(chain); ++i) out.push_back(pem_of(sk_X509_value(chain, i)));
    return out;
  }

  Stream& transport() override { return *inner_; }

  Result<std::size_t> read_some(std::span<std::byte> out, Deadline deadline,
                                const StopToken& stop) override {
    CHECK(!out.empty());
    for (;;) {
      std::size_t count = 0;
      int wanted = SSL_ERROR_NONE;
      {
        const std::lock_guard hold(ssl_mutex_);
        ERR_clear_error();
        const int done = SSL_read_ex(ssl_.get(), out.data(), out.size(), &count);
        if (done != 1) wanted = SSL_get_error(ssl_.get(), done);
      }
      if (wanted == SSL_ERROR_NONE) return count;
      if (wanted == SSL_ERROR_ZERO_RETURN) return 0;
      if (wanted != SSL_ERROR_WANT_READ) return refused();
      // A reply to a key update. A writer that is busy takes it along.
      if (const std::unique_lock order(writing_, std::try_to_lock); order.owns_lock()) {
        TRY(send_pending(deadline, stop));
      }
      const std::size_t received = TRY(receive(deadline, stop));
      if (received == 0) {
        if (reading_shut_) return 0;
        // Without the goodbye nobody can tell a cut from an end.
        return fail(Code::unavailable, peer() + ": the connection was cut");
      }
    }
  }

  Result<> write_parts(std::span<const ByteSpan> parts, Deadline deadline,
                       const StopToken& stop) override {
    const std::lock_guard order(writing_);
    if (broken_) return fail(Code::unavailable, peer() + ": an earlier write failed");
    std::size_t batched = 0;
    for (ByteSpan part : parts) {
      while (!part.empty()) {
        const ByteSpan piece = part.first(std::min(part.size(), write_batch_bytes - batched));
        TRY(encrypt(piece));
        part = part.subspan(piece.size());
        batched += piece.size();
        if (batched == write_batch_bytes) {
          TRY(send_pending(deadline, stop));
          batched = 0;
        }
      }
    }
    return send_pending(deadline, stop);
  }

  void shutdown_read() override {
    reading_shut_ = true;
    inner_->shutdown_read();
  }
  void shutdown_write() override {
    say_goodbye();
    inner_->shutdown_write();
  }
  void close() override {
    say_goodbye();
    reading_shut_ = true;
    inner_->close();
  }
  bool poll_peer_closed() override { return inner_->poll_peer_closed(); }
  int watch_fd() const override { return inner_->watch_fd(); }
  std::string peer() const override { return inner_->peer(); }

 private:
  static std::string pem_of(X509* certificate) {
    const BioHandle out(BIO_new(BIO_s_mem()));
    CHECK(out && PEM_write_bio_X509(out.get(), certificate) == 1);
    return text_of(out.get());
  }

  // Ciphertext from below into OpenSSL; 0 at its end.
  Result<std::size_t> receive(Deadline deadline, const StopToken& stop) {
    std::array<std::byte, read_block_bytes> block;
    const std::size_t count = TRY(inner_->read_some(block, deadline, stop));
    if (count > 0) {
      const std::lock_guard hold(ssl_mutex_);
      CHECK(BIO_write(SSL_get_rbio(ssl_.get()), block.data(), static_cast<int>(count)) ==
            static_cast<int>(count));
    }
    return count;
  }

  Result<> encrypt(ByteSpan piece) {
    const std::lock_guard hold(ssl_mutex_);
    ERR_clear_error();
    std::size_t written = 0;
    if (SSL_write_ex(ssl_.get(), piece.data(), piece.size(), &written) != 1 ||
        written != piece.size()) {
      broken_ = true;
      return refused();
    }
    return {};
  }

  // With `writing_` held. What was taken out of OpenSSL and not sent is lost: the stream is then
  // of no more use for writing.
  Result<> send_pending(Deadline deadline, const StopToken& stop) {
    for (;;) {
      Bytes cipher;
      {
        const std::lock_guard hold(ssl_mutex_);
        BIO* out = SSL_get_wbio(ssl_.get());
        cipher.resize(BIO_ctrl_pending(out));
        if (cipher.empty()) return {};
        CHECK(BIO_read(out, cipher.data(), static_cast<int>(cipher.size())) ==
              static_cast<int>(cipher.size()));
      }
      if (auto sent = inner_->write_all(cipher, deadline, stop); !sent) {
        broken_ = true;
        return sent;
      }
    }
  }

  // The TLS goodbye, if it can go out without waiting.
  void say_goodbye() {
    const std::unique_lock order(writing_, std::try_to_lock);
    if (!order.owns_lock() || broken_ || !established_ || std::exchange(goodbye_said_, true)) return;
    {
      const std::lock_guard hold(ssl_mutex_);
      ERR_clear_error();
      SSL_shutdown(ssl_.get());
      ERR_clear_error();
    }
    (void)send_pending(Deadline::at(Instant()), {});
  }

  std::unexpected<Error> refused() {
    const std::string reason = take_openssl_reason();
    if (!check_.refusal.empty()) {
      return fail(Code::permission,
                  fmt::format("{}: its certificate{} is refused: {}", peer(),
                              check_.identity.certificate.common_name.empty()
                                  ? ""
                                  : " of '" + check_.identity.certificate.common_name + "'",
                              check_.refusal));
    }
    if (reason.empty()) return fail(Code::unavailable, peer() + ": the TLS connection has ended");
    const bool damaged = established_ && reason.find("alert") == std::string::npos;
    return fail(damaged ? Code::corrupt : Code::permission,
                fmt::format("{}: TLS: {}", peer(), reason));
  }

  const std::unique_ptr<Stream> inner_;
  const std::shared_ptr<const TlsCredentials::Contexts> contexts_;
  PeerCheck check_;  // written inside the handshake only
  mutable std::mutex ssl_mutex_;
  std::mutex writing_;
  const SslHandle ssl_;
  std::atomic<bool> established_ = false;
  std::atomic<bool> reading_shut_ = false;
  std::atomic<bool> broken_ = false;
  bool goodbye_said_ = false;  // with writing_
};

}  // namespace

Result<std::unique_ptr<TlsStream>> make_tls_server_stream(std::unique_ptr<Stream> inner,
                                                          const TlsServerOptions& options) {
  if (!options.credentials) return fail(Code::invalid_argument, "TLS needs credentials");
  auto contexts = options.credentials->contexts();
  SSL_CTX* context = contexts->server.get();
  PeerCheck check;
  check.admit = options.admit;
  check.ask_about_self_signed = options.ask_about_self_signed;
  auto out = std::make_unique<TlsStreamOverStream>(std::move(inner), std::move(contexts), context,
                                                   std::move(check));
  SSL_set_accept_state(out->ssl());
  return out;
}

Result<std::unique_ptr<TlsStream>> make_tls_client_stream(std::unique_ptr<Stream> inner,
                                                          const TlsClientOptions& options) {
  if (!options.credentials || options.expected_machine.empty()) {
    return fail(Code::invalid_argument, "TLS needs credentials and the machine that is expected");
  }
  if (!options.authority_sha256.empty() && options.authority_sha256.size() < authority_digits_min) {
    return fail(Code::invalid_argument, fmt::format("an authority's digest has at least {} digits",
                                                    authority_digits_min));
  }
  auto contexts = options.credentials->contexts();
  SSL_CTX* context = contexts->client.get();
  PeerCheck check;
  check.authority_sha256 = options.authority_sha256;
  check.admit = options.admit;
  auto out = std::make_unique<TlsStreamOverStream>(std::move(inner), std::move(contexts), context,
                                                   std::move(check));
  SSL_set_connect_state(out->ssl());
  const std::string host = machine_host(options.expected_machine);
  if (SSL_set1_host(out->ssl(), host.c_str()) != 1 ||
      SSL_set_tlsext_host_name(out->ssl(), host.c_str()) != 1) {
    return fail_openssl(Code::invalid_argument, fmt::format("machine '{}'", options.expected_machine));
  }
  return out;
}

}  // namespace hearth::net
