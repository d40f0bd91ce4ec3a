#include "hearth/cli/vault_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hearth/vault/test_vault.h"

namespace hearth::cli {
namespace fs = std::filesystem;
namespace {

using session::MemoryFiles;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class VaultMemories : public ::testing::Test {
 protected:
  void SetUp() override {
    const vault::Secret passphrase = vault::secret_of("correct horse battery");
    ASSERT_TRUE(vault::Vault::create(directory(), passphrase, vault::quick_cost));
    keys_ = *vault::Vault::unlock(directory(), passphrase);
  }
  fs::path directory() const { return home_.path() / "vault"; }
  std::unique_ptr<VaultMemory> memory() { return *VaultMemory::open(keys_, "vault:diary", /*make=*/true); }
  // The one file of the one collection.
  fs::path file() const {
    for (const auto& entry : fs::recursive_directory_iterator(directory() / "data")) {
      if (entry.is_regular_file()) return entry.path();
    }
    return {};
  }

  TemporaryDirectory home_ = *TemporaryDirectory::create("hearth-vault-memory-test");
  std::shared_ptr<vault::Vault> keys_;
};

TEST_F(VaultMemories, KeepWhatIsFoldedAndNothingOfItIsInTheClear) {
  EXPECT_EQ(VaultMemory::open(keys_, "vault:diary", /*make=*/false).error().code, Code::not_found);
  EXPECT_THAT(*memory()->read(), IsEmpty());
  const auto report = memory()->fold({}, {{"cat.md", "The cat is called Mia.\n"}, {"dog.md", "Rex"}}, "S1");
  EXPECT_THAT(report->written, ElementsAre("cat.md", "dog.md"));
  const MemoryFiles files = *memory()->read();
  EXPECT_EQ(files.at("cat.md"), "The cat is called Mia.\n");
  EXPECT_THAT(memory()->fold(files, {{"cat.md", files.at("cat.md")}}, "S2")->removed, ElementsAre("dog.md"));
  EXPECT_THAT(*memory()->read(), ElementsAre(testing::Pair("cat.md", files.at("cat.md"))));
  EXPECT_THAT(*VaultMemory::list(*keys_), ElementsAre("vault:diary"));
  const std::string bytes = *read_text_file(file(), 1 << 20);
  for (const char* word : {"Mia", "Rex", "cat.md", "diary"}) EXPECT_EQ(bytes.find(word), std::string::npos) << word;
}

TEST_F(VaultMemories, KeepEveryVersion) {
  ASSERT_TRUE(memory()->fold({}, {{"cat.md", "Mia"}}, "S1"));
  ASSERT_TRUE(memory()->fold({{"cat.md", "Mia"}}, {{"cat.md", "Tom"}}, "S2"));
  ASSERT_TRUE(memory()->fold({{"cat.md", "Tom"}}, {}, "S3"));
  std::vector<std::string> told;
  const auto history = *memory()->history();
  for (const MemoryVersion& one : history) told.push_back(one.stamp + " " + one.text.value_or("(removed)"));
  EXPECT_THAT(told, ElementsAre("S1 Mia", "S2 Tom", "S3 (removed)"));
}

TEST_F(VaultMemories, LeaveWhatSomebodyElseChangedAndKeepTheOtherText) {
  ASSERT_TRUE(memory()->fold({}, {{"cat.md", "Mia"}}, "S1"));
  const auto report = memory()->fold({{"cat.md", "old"}}, {{"cat.md", "mine"}}, "S2");
  EXPECT_THAT(report->conflicts, ElementsAre("cat.md"));
  EXPECT_EQ(memory()->read()->at("cat.md"), "Mia");
  EXPECT_TRUE(memory()->history()->back().set_aside);
  EXPECT_EQ(memory()->history()->back().text, "mine");
  EXPECT_THAT(memory()->fold({{"cat.md", "old"}}, {{"cat.md", "Mia"}}, "S3")->conflicts, IsEmpty());  // the same on both sides
}

TEST_F(VaultMemories, RefuseWhatIsNoMemory) {
  for (const char* name : {"vault:", "vault:a/b", "vault:..", "diary"}) {
    EXPECT_EQ(VaultMemory::open(keys_, name, true).error().code, Code::invalid_argument) << name;
  }
  EXPECT_EQ(memory()->fold({}, {{"../x", "text"}}, "S").error().code, Code::invalid_argument);
  EXPECT_EQ(memory()->fold({}, {{"x", std::string("\0", 1)}}, "S").error().code, Code::invalid_argument);
  EXPECT_THAT(*memory()->history(), IsEmpty());
}

TEST_F(VaultMemories, NameDamageAndGiveWhatIsReadable) {
  ASSERT_TRUE(memory()->fold({}, {{"a.md", std::string(500, 'a')}, {"b.md", "second"}}, "S1"));
  std::string bytes = *read_text_file(file(), 1 << 20);
  bytes[400] = static_cast<char>(bytes[400] ^ 1);
  const ByteSpan part = as_byte_span(bytes);
  ASSERT_TRUE(real_file_system()->write_atomically(file(), {&part, 1}, Durability::survives_process));
  EXPECT_THAT(memory()->read().error().message, HasSubstr("vault:diary is damaged"));
  std::vector<std::string> damaged;
  const auto readable = memory()->history(&damaged);
  EXPECT_EQ(damaged.size(), 1U);
  ASSERT_EQ(readable->size(), 1U);
  EXPECT_EQ(readable->front().path, "b.md");
}

TEST_F(VaultMemories, AreForgottenWithAllVersions) {
  ASSERT_TRUE(memory()->fold({}, {{"cat.md", "Mia"}}, "S1"));
  ASSERT_TRUE(VaultMemory::forget(*keys_, "vault:diary"));
  EXPECT_TRUE(file().empty());
  EXPECT_THAT(*VaultMemory::list(*keys_), IsEmpty());
  EXPECT_EQ(VaultMemory::forget(*keys_, "vault:diary").error().code, Code::not_found);
}

}  // namespace
}  // namespace hearth::cli
