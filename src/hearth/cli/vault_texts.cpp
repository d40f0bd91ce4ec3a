#include "hearth/cli/vault_texts.h"

#include "hearth/base/hardening.h"
#include "hearth/cli/environment.h"
#include "hearth/vault/cipher.h"

namespace hearth::cli {
namespace {

class CollectionCipher final : public store::TextCipher {
 public:
  explicit CollectionCipher(std::string collection) : collection_(std::move(collection)) {}
  Result<std::string> seal(std::string_view text, std::string_view place) override { return texts_.seal(collection_, place, text); }
  Result<std::string> open(std::string_view sealed, std::string_view place) override { return texts_.open(collection_, place, sealed); }

 private:
  const std::string collection_;
  VaultTexts texts_;
};

}  // namespace

Result<std::string> VaultTexts::seal(std::string_view collection, std::string_view place, std::string_view text) {
  TRY(connect());
  const auto key = TRY(keeper_->key(collection));
  return to_hex(vault::encrypt(*key, as_byte_span(text), as_byte_span(place)));
}

Result<std::string> VaultTexts::open(std::string_view collection, std::string_view place, std::string_view line) {
  TRY(connect());
  const auto key = TRY(keeper_->key(collection));
  const auto sealed = from_hex(line);
  if (!sealed) return fail(Code::corrupt, "not what the vault wrote");
  const Bytes text = TRY(vault::decrypt(*key, *sealed, as_byte_span(place)));
  return std::string(as_text(text));
}

Result<> VaultTexts::forget(std::string_view collection) {
  TRY(connect());
  return keeper_->forget(collection);
}

Result<> VaultTexts::connect() {
  if (!keeper_) keeper_ = TRY(connect_vault());
  return {};
}

Result<std::unique_ptr<vault::KeeperClient>> connect_vault() {
  TRY(harden_process());
  const auto directory = TRY(vault_directory({}));
  return vault::KeeperClient::connect(directory);
}

std::shared_ptr<store::TextCipher> make_text_cipher(std::string collection) {
  return std::make_shared<CollectionCipher>(std::move(collection));
}

}  // namespace hearth::cli
