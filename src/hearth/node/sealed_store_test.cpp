#include "hearth/node/sealed_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <semaphore>

#include "hearth/base/json.h"
#include "hearth/base/log.h"
#include "hearth/base/thread.h"
#include "hearth/kv/test_support.h"
#include "hearth/vault/keeper.h"
#include "hearth/vault/keeper_client.h"

namespace hearth::node {
namespace {

class SealedStoreTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { start_log("node_test", LogLevel::off); }
  void SetUp() override {
    ASSERT_TRUE(vault::Vault::create(vault_at(), passphrase_, {1, vault::passphrase_memory_bytes_min}));
  }
  void unlock() {
    keeper_ = std::make_unique<vault::Keeper>(vault::Vault::unlock(vault_at(), passphrase_).value(),
                                              net::Listener::listen(vault::keeper_address(vault_at())).value(), idle_max_);
    thread_ = Thread("keeper", [this] { (void)keeper_->run(stop_.token()); });
  }
  void lock() {
    ASSERT_TRUE(vault::KeeperClient::connect(vault_at()).value()->lock());
    locked_.acquire();
    thread_.join();
  }
  void TearDown() override {
    stop_.request_stop();
    thread_.join();
  }
  std::filesystem::path vault_at() const { return directory_.path() / "v"; }

  TemporaryDirectory directory_ = TemporaryDirectory::create("sealed").value();
  vault::Secret passphrase_ = vault::Secret::copy_of(as_byte_span("correct horse")).value();
  std::unique_ptr<vault::Keeper> keeper_;
  StopSource stop_;
  Thread thread_;
  Duration idle_max_{};  // never
  std::binary_semaphore locked_{0};
  SealedStore store_{{.vault_directory = vault_at(),
                      .store = {.directory = directory_.path() / "store", .memory_bytes_max = 1 << 20, .disk_bytes_max = 1 << 20},
                      .on_lock = [this] { locked_.release(); },
                      .touch_interval = Duration::zero()}};
};

TEST_F(SealedStoreTest, IsThereWhileTheVaultIsOpenAndGoesWhenItIsLocked) {
  EXPECT_EQ(store_.get(), nullptr);
  unlock();
  const kv::TestChain chain = kv::test_chain(1, 12, 4);
  {
    const auto store = store_.get();
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(store_.get(), store);
    for (const auto& chunk : chain.chunks) ASSERT_TRUE(store->put(chunk));
    ASSERT_TRUE(store->flush(Deadline::never()));
  }
  lock();
  EXPECT_EQ(store_.get(), nullptr);
  unlock();
  const auto store = store_.get();
  ASSERT_NE(store, nullptr);
  for (const auto& chunk : chain.chunks) EXPECT_TRUE(store->get(chunk->header.key));
  EXPECT_EQ(store->statistics().disk_hits, 3);
}

TEST_F(SealedStoreTest, UsingItIsUsingTheVault) {
  idle_max_ = std::chrono::hours(1);
  unlock();
  const auto store = store_.get();
  ASSERT_NE(store, nullptr);
  const auto client = vault::KeeperClient::connect(vault_at()).value();
  const auto idle_left_s = [&] { return get<double>(parse_json(client->status_json().value()).value(), "idle_left_s").value(); };
  (void)stopped_while_waiting({}, Deadline::after(std::chrono::milliseconds(300)));
  const double before = idle_left_s();
  EXPECT_EQ(store_.get(), store);
  EXPECT_GT(idle_left_s(), before);
}

TEST_F(SealedStoreTest, LetsPinsGoOrSaysThatItCannot) {
  EXPECT_TRUE(store_.unpin_all("me")) << "locked, but nothing was ever pinned";
  unlock();
  const kv::TestChain chain = kv::test_chain(1, 12, 4);
  const auto key = chain.chunks[0]->header.key;
  ASSERT_TRUE(store_.get()->pin(std::span(&key, 1), "me"));
  lock();
  const auto refused = store_.unpin_all("me");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unavailable);
  EXPECT_NE(refused.error().message.find("hearth vault unlock"), std::string::npos);
  unlock();
  EXPECT_EQ(store_.get()->pinned("me").size(), 1U);
  EXPECT_TRUE(store_.unpin_all("me"));
  EXPECT_TRUE(store_.get()->pinned("me").empty());
}

TEST_F(SealedStoreTest, KeepsNothingPlainOnTheDisk) {
  unlock();
  const kv::TestChain chain = kv::test_chain(1, 12, 4);
  const auto store = store_.get();
  for (const auto& chunk : chain.chunks) ASSERT_TRUE(store->put(chunk));
  ASSERT_TRUE(store->flush(Deadline::never()));
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path())) {
    if (!entry.is_regular_file()) continue;
    ++files;
    const Bytes bytes = read_file(entry.path(), 1 << 20).value();
    for (const auto& chunk : chain.chunks) {
      EXPECT_TRUE(std::ranges::search(bytes, chunk->payload.span().first(12)).empty()) << entry.path();
      EXPECT_EQ(entry.path().string().find(chunk->header.key.hex()), std::string::npos);
    }
  }
  EXPECT_EQ(files, 2 + 1 + 3 + 1);  // the vault's two, the collection's key, the chunks, the store's lock
}

}  // namespace
}  // namespace hearth::node
