#include "hearth/vault/vault.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "hearth/vault/sealed_log.h"
#include "hearth/vault/test_vault.h"

namespace hearth::vault {
namespace {

namespace fs = std::filesystem;

class VaultTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(Vault::create(at(), secret_of("correct horse"), quick_cost)); }
  fs::path at(std::string_view name = "vault") const { return directory_.path() / name; }
  std::unique_ptr<Vault> open(std::string_view passphrase = "correct horse", std::string_view name = "vault") {
    return Vault::unlock(at(name), secret_of(passphrase)).value();
  }
  static void spoil(const fs::path& path, std::size_t byte) {
    Bytes bytes = read_file(path, 1 << 20).value();
    bytes.at(byte) ^= std::byte{1};
    const ByteSpan part(bytes);
    ASSERT_TRUE(real_file_system()->write_atomically(path, {&part, 1}, Durability::survives_process));
  }
  static fs::path only_file(const fs::path& folder) { return fs::directory_iterator(folder)->path(); }
  void keep(Vault& vault, std::string_view collection, std::string_view text) {
    const auto key = vault.key(collection).value();
    const auto folder = vault.folder(collection).value();
    ASSERT_TRUE(write_sealed_file(*real_file_system(), folder / "text", *key, as_byte_span(text)));
  }
  std::string kept(Vault& vault, std::string_view collection) {
    return std::string(as_text(read_sealed_file(vault.folder(collection).value() / "text", *vault.key(collection).value()).value()));
  }
  TemporaryDirectory directory_ = TemporaryDirectory::create("vault").value();
};

TEST_F(VaultTest, KeepsKeysFromOneOpeningToTheNext) {
  const auto first = open()->key("session a").value();
  const auto vault = open();
  const auto second = vault->key("session a").value();
  EXPECT_TRUE(same_bytes(first->span(), second->span()));
  EXPECT_FALSE(same_bytes(first->span(), vault->key("session b").value()->span()));
  EXPECT_EQ(vault->collections().value(), (std::vector<std::string>{"session a", "session b"}));
}

TEST_F(VaultTest, NamesSayNothing) {
  keep(*open(), "session about the merger", "CANARY");
  for (const auto& entry : fs::recursive_directory_iterator(at())) {
    EXPECT_EQ(entry.path().string().find("merger"), std::string::npos);
    if (!entry.is_regular_file()) continue;
    const Bytes bytes = read_file(entry.path(), 1 << 20).value();
    for (const std::string_view word : {"merger", "CANARY", "correct horse"}) {
      EXPECT_EQ(as_text(bytes).find(word), std::string_view::npos) << entry.path();
    }
  }
}

TEST_F(VaultTest, AWrongPassphraseIsToldApartFromDamage) {
  EXPECT_EQ(Vault::unlock(at(), secret_of("wrong horse")).error().code, Code::permission);
  EXPECT_EQ(Vault::unlock(at("none"), secret_of("correct horse")).error().code, Code::not_found);
  spoil(at() / "vault.key", 60);
  EXPECT_NE(open(), nullptr);  // by the copy
  EXPECT_EQ(Vault::unlock(at(), secret_of("wrong horse")).error().code, Code::permission);
  spoil(at() / "vault.key.copy", 0);
  spoil(at() / "vault.key", 0);
  EXPECT_EQ(Vault::unlock(at(), secret_of("correct horse")).error().code, Code::corrupt);
}

TEST_F(VaultTest, RefusesShortPassphrasesAndASecondVault) {
  EXPECT_EQ(Vault::create(at("new"), secret_of("short"), quick_cost).error().code, Code::invalid_argument);
  EXPECT_EQ(Vault::create(at(), secret_of("correct horse"), quick_cost).error().code, Code::invalid_argument);
}

TEST_F(VaultTest, ThePassphraseChangesWithoutTouchingTheData) {
  keep(*open(), "a", "text");
  std::map<std::string, Bytes> before;
  const auto data = [&] {
    std::map<std::string, Bytes> out;
    for (const std::string_view folder : {"keys", "data"}) {
      for (const auto& entry : fs::recursive_directory_iterator(at() / folder)) {
        if (entry.is_regular_file()) out.emplace(entry.path().string(), read_file(entry.path(), 1 << 20).value());
      }
    }
    return out;
  };
  before = data();
  EXPECT_EQ(Vault::change_passphrase(at(), secret_of("wrong horse"), secret_of("battery staple"), quick_cost).error().code,
            Code::permission);
  ASSERT_TRUE(Vault::change_passphrase(at(), secret_of("correct horse"), secret_of("battery staple"), quick_cost));
  EXPECT_EQ(data(), before);
  EXPECT_EQ(Vault::unlock(at(), secret_of("correct horse")).error().code, Code::permission);
  EXPECT_EQ(kept(*open("battery staple"), "a"), "text");
}

TEST_F(VaultTest, ADamagedKeyCostsItsCollectionOnly) {
  keep(*open(), "a", "text of a");
  const fs::path key_of_a = only_file(at() / "keys");
  keep(*open(), "b", "text of b");
  spoil(key_of_a, 50);
  const auto vault = open();
  ASSERT_EQ(vault->damaged_keys().size(), 1);
  EXPECT_NE(vault->damaged_keys()[0].find(key_of_a.filename().string()), std::string::npos);
  EXPECT_EQ(kept(*vault, "b"), "text of b");
  EXPECT_EQ(vault->key("a").error().code, Code::corrupt);  // not silently made anew
}

TEST_F(VaultTest, AKeyThatIsGoneIsNotMadeAnewWhileItsDataAreThere) {
  keep(*open(), "a", "text of a");
  const auto vault = open();
  fs::remove(only_file(at() / "keys"));
  EXPECT_EQ(vault->key("a").error().code, Code::corrupt) << "it was there when the vault was opened";
  const auto again = open();
  EXPECT_EQ(again->key("a").error().code, Code::corrupt);
  EXPECT_TRUE(fs::is_empty(at() / "keys"));
  ASSERT_TRUE(again->forget("a"));
  EXPECT_TRUE(again->key("a"));
}

TEST_F(VaultTest, AForgottenCollectionIsGone) {
  const auto vault = open();
  keep(*vault, "a", "text");
  ASSERT_TRUE(vault->forget("a"));
  EXPECT_TRUE(fs::is_empty(at() / "keys"));
  EXPECT_TRUE(fs::is_empty(at() / "data"));
  EXPECT_EQ(vault->forget("a").error().code, Code::not_found);
}

TEST_F(VaultTest, ABackupComesBack) {
  keep(*open(), "a", "text");
  const CopyReport made = backup_vault(at(), at("backup")).value();
  EXPECT_EQ(made.files, 4);
  EXPECT_EQ(backup_vault(at(), at("backup")).error().code, Code::invalid_argument);
  EXPECT_EQ(restore_vault(at("backup"), at()).error().code, Code::invalid_argument);
  ASSERT_TRUE(wipe_vault(at()));
  EXPECT_FALSE(fs::exists(at()));
  const CopyReport restored = restore_vault(at("backup"), at()).value();
  EXPECT_TRUE(restored.damaged.empty());
  EXPECT_EQ(kept(*open(), "a"), "text");
}

TEST_F(VaultTest, ADamagedBackupGivesTheRestAndNamesWhatIsMissing) {
  keep(*open(), "a", "text of a");
  const fs::path data_of_a = fs::relative(only_file(only_file(at() / "data")), at());
  keep(*open(), "b", "text of b");
  ASSERT_TRUE(backup_vault(at(), at("backup")));
  spoil(at("backup") / data_of_a, 100);
  const CopyReport restored = restore_vault(at("backup"), at("new")).value();
  ASSERT_EQ(restored.damaged.size(), 1);
  EXPECT_NE(restored.damaged[0].find(data_of_a.string()), std::string::npos);
  EXPECT_EQ(kept(*open("correct horse", "new"), "b"), "text of b");
}

TEST_F(VaultTest, ABackupDoesNotWriteOutsideTheVault) {
  ASSERT_TRUE(backup_vault(at(), at("backup")));
  std::string list = read_text_file(at("backup") / "backup.json", 1 << 20).value();
  list.replace(list.find("vault.key.copy"), 14, "../../evil.key");
  const ByteSpan part = as_byte_span(list);
  ASSERT_TRUE(real_file_system()->write_atomically(at("backup") / "backup.json", {&part, 1}, Durability::survives_process));
  const CopyReport restored = restore_vault(at("backup"), at("new")).value();
  EXPECT_EQ(restored.damaged.size(), 1);
  EXPECT_NE(open("correct horse", "new"), nullptr);
}

}  // namespace
}  // namespace hearth::vault
