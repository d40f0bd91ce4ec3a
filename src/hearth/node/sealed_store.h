#pragma once
// The chunk store of sealed work: there while the vault is open. When the vault is locked, the store
// goes with all it holds in memory and the key it was sealed with; running hand-offs end first.
//
// Thread-safe. Finds the vault again when it is unlocked: it is looked for with each call, at the cost
// of a connect that is refused.

#include <functional>
#include <memory>

#include "hearth/base/clock.h"
#include "hearth/base/guarded.h"
#include "hearth/kv/store.h"
#include "hearth/vault/secret.h"

namespace hearth::vault {
class KeeperClient;
}

namespace hearth::node {

// Seals with a collection's key; holds it as long as it lives.
std::shared_ptr<const kv::ChunkCipher> make_vault_cipher(const vault::Secret& collection_key);

inline constexpr std::string_view chunk_collection = "kv chunks";

class SealedStore {
 public:
  struct Options {
    std::filesystem::path vault_directory;
    kv::StoreOptions store;  // its directory is its own; the cipher is set here
    std::function<void()> on_lock{};  // after the store is let go; on the thread "vault-watch"
    Duration touch_interval = std::chrono::seconds(15);  // as often the keeper hears that the store is in use
  };
  explicit SealedStore(Options options);
  ~SealedStore();

  // nullptr while the vault is locked, or when the store cannot be opened (logged once).
  std::shared_ptr<kv::ChunkStore> get();
  // What this owner pinned may be evicted again. unavailable while the vault is locked and anything is
  // pinned at all: for whom, nobody can read then.
  Result<> unpin_all(std::string_view owner);
  // As ChunkStore::forget. unavailable while the vault is locked and anything has a user at all.
  Result<kv::ForgetReport> forget(std::string_view user, Deadline deadline);

 private:
  struct State {
    std::shared_ptr<vault::KeeperClient> client;
    Instant touched_at{};
    std::shared_ptr<kv::ChunkStore> store;
    bool has_complained = false;
  };
  Result<std::shared_ptr<kv::ChunkStore>> open();
  void locked();

  const Options options_;
  std::unique_ptr<FileSystem> files_ = real_file_system();
  const SteadyClock clock_;
  Guarded<State> state_;
};

}  // namespace hearth::node
