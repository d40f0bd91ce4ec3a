#include "hearth/cli/vault_codec.h"

#include <fmt/format.h>

#include "hearth/base/hardening.h"
#include "hearth/cli/environment.h"
#include "hearth/vault/cipher.h"
#include "hearth/vault/keeper_client.h"

namespace hearth::cli {
namespace {

std::string collection_of(std::string_view session) { return fmt::format("session-{}", session); }

class VaultCodec final : public session::RecordCodec {
 public:
  std::string_view name() const override { return vault_codec_name; }

  Result<std::string> encode(std::string_view session, std::uint64_t index, std::string_view record) override {
    const auto key = TRY(this->key(session));
    return to_hex(vault::encrypt(*key, as_byte_span(record), as_byte_span(place(session, index))));
  }

  Result<std::string> decode(std::string_view session, std::uint64_t index, std::string_view line) override {
    const auto key = TRY(this->key(session));
    auto sealed = from_hex(line);
    if (!sealed) return fail(Code::corrupt, "not what the vault wrote");
    const Bytes text = TRY(vault::decrypt(*key, *sealed, as_byte_span(place(session, index))));
    return std::string(as_text(text));
  }

  Result<> forget(std::string_view session) override {
    TRY(connect());
    return keeper_->forget(collection_of(session));
  }

 private:
  static std::string place(std::string_view session, std::uint64_t index) {
    return fmt::format("hearth session record {} {}", session, index);
  }

  Result<> connect() {
    if (keeper_) return {};
    TRY(harden_process());
    const auto directory = TRY(vault_directory({}));
    keeper_ = TRY(vault::KeeperClient::connect(directory));
    return {};
  }

  Result<vault::SharedSecret> key(std::string_view session) {
    TRY(connect());
    return keeper_->key(collection_of(session));
  }

  std::unique_ptr<vault::KeeperClient> keeper_;
};

}  // namespace

std::unique_ptr<session::RecordCodec> make_vault_codec() { return std::make_unique<VaultCodec>(); }

}  // namespace hearth::cli
