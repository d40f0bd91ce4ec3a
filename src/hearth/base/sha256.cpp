#include "hearth/base/sha256.h"

#include <openssl/evp.h>

#include "hearth/base/check.h"

namespace hearth {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() { CHECK(context != nullptr && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1); }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;

Sha256& Sha256::update(ByteSpan bytes) {
  CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
  return *this;
}

Digest256 Sha256::finish() {
  Digest256 out;
  unsigned int bytes = 0;
  CHECK(EVP_DigestFinal_ex(state_->context, reinterpret_cast<unsigned char*>(out.bytes.data()), &bytes) == 1);
  CHECK(bytes == out.bytes.size());
  return out;
}

Digest256 sha256(ByteSpan bytes) { return Sha256().update(bytes).finish(); }

}  // namespace hearth
