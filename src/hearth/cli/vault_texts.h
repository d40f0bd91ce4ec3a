#pragma once
// Texts encrypted under a collection's key of the open vault, as lines of hexadecimal digits: what
// sessions and studies write. Connects to the vault's keeper when a key is first needed; without an open
// vault nothing is sealed or opened (unavailable). One thread.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "hearth/store/text_cipher.h"
#include "hearth/vault/keeper_client.h"

namespace hearth::cli {

class VaultTexts {
 public:
  // `place` is vouched for: a line that was moved elsewhere does not open.
  Result<std::string> seal(std::string_view collection, std::string_view place, std::string_view text);
  Result<std::string> open(std::string_view collection, std::string_view place, std::string_view line);
  Result<> forget(std::string_view collection);

 private:
  Result<> connect();
  std::unique_ptr<vault::KeeperClient> keeper_;
};

// The keys of the open vault. No memory of this process is for others from then on.
Result<std::unique_ptr<vault::KeeperClient>> connect_vault();

std::shared_ptr<store::TextCipher> make_text_cipher(std::string collection);

}  // namespace hearth::cli
