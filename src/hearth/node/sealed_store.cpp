#include "hearth/node/sealed_store.h"

#include <utility>

#include "hearth/base/check.h"
#include "hearth/base/log.h"
#include "hearth/vault/keeper_client.h"

namespace hearth::node {
namespace {

class VaultCipher final : public kv::ChunkCipher {
 public:
  VaultCipher(vault::Secret sealing_key, vault::Secret naming_key)
      : sealing_key_(std::move(sealing_key)), naming_key_(std::move(naming_key)) {}

  std::string file_name(const kv::ChunkKey& key) const override {
    return to_hex(vault::keyed_name(naming_key_, "chunk", key.digest.bytes));
  }
  void seal(ByteSpan plain, ByteSpan associated, std::span<std::byte> out) const override {
    vault::encrypt_into(sealing_key_, plain, associated, out);
  }
  Result<> open(ByteSpan sealed, ByteSpan associated, std::span<std::byte> out) const override {
    return vault::decrypt_into(sealing_key_, sealed, associated, out);
  }

 private:
  vault::Secret sealing_key_, naming_key_;
};
static_assert(kv::ChunkCipher::overhead_bytes == vault::cipher_overhead_bytes);

}  // namespace

std::shared_ptr<const kv::ChunkCipher> make_vault_cipher(const vault::Secret& collection_key) {
  auto sealing = vault::derive_key(collection_key, "seal chunks");
  auto naming = vault::derive_key(collection_key, "name chunks");
  if (!sealing || !naming) return nullptr;
  return std::make_shared<VaultCipher>(*std::move(sealing), *std::move(naming));
}

SealedStore::SealedStore(Options options) : options_(std::move(options)) {}

// The client's thread may be in locked(): it goes before what that uses.
SealedStore::~SealedStore() {
  auto client = state_.with([](State& state) { return std::move(state.client); });
  client.reset();
}

std::shared_ptr<kv::ChunkStore> SealedStore::get() {
  // A client joins its thread when it goes, and that thread takes our lock: it never goes under it.
  std::shared_ptr<vault::KeeperClient> gone, touched;
  auto store = state_.with([&](State& state) {
    if (state.client && state.client->is_locked()) {
      state.store.reset();
      gone = std::move(state.client);
    }
    if (state.store && clock_.now() - state.touched_at >= options_.touch_interval) {
      state.touched_at = clock_.now();
      touched = state.client;
    }
    return state.store;
  });
  gone.reset();
  // The key is held, but a keeper that nobody asks locks the vault.
  if (touched) (void)touched->key(chunk_collection);
  touched.reset();
  if (store) return store;
  auto opened = open();
  if (opened) return *opened;
  const bool is_news = opened.error().code != Code::unavailable &&
                       state_.with([](State& state) { return !std::exchange(state.has_complained, true); });
  if (is_news) log_warning("sealed KV is not kept: " + opened.error().message);
  return nullptr;
}

Result<> SealedStore::unpin_all(std::string_view owner) {
  if (const auto store = get()) return store->unpin_all(owner);
  std::error_code unknown;
  const bool has_pins = std::filesystem::exists(options_.store.directory / kv::pins_file_name, unknown);
  if (!has_pins && !unknown) return {};
  return fail(Code::unavailable, "the vault is locked: what is pinned of labelled prompts stays pinned. Unlock it (hearth vault unlock) and "
                                 "ask again");
}

Result<kv::ForgetReport> SealedStore::forget(std::string_view user, Deadline deadline) {
  if (const auto store = get()) return store->forget(user, deadline);
  std::error_code unknown;
  if (!std::filesystem::exists(options_.store.directory / kv::uses_file_name, unknown) && !unknown) return kv::ForgetReport{};
  return fail(Code::unavailable, "the vault is locked: what is kept of labelled prompts stays. Unlock it (hearth vault unlock) and ask again");
}

Result<std::shared_ptr<kv::ChunkStore>> SealedStore::open() {
  std::shared_ptr<vault::KeeperClient> client = TRY(vault::KeeperClient::connect(options_.vault_directory, [this] { locked(); }));
  const auto key = TRY(client->key(chunk_collection));
  kv::StoreOptions options = options_.store;
  options.cipher = make_vault_cipher(*key);
  if (!options.cipher) return fail(Code::resource_exhausted, "no locked memory for the key of the chunks");
  return state_.with([&](State& state) -> Result<std::shared_ptr<kv::ChunkStore>> {
    if (state.store) return state.store;  // another thread was faster
    std::shared_ptr<kv::ChunkStore> store = TRY(kv::ChunkStore::open(std::move(options), *files_, clock_));
    if (client->is_locked()) return fail(Code::unavailable, "the vault was locked meanwhile");
    state.store = std::move(store);
    std::swap(state.client, client);
    return state.store;
  });
}

void SealedStore::locked() {
  auto store = state_.with([](State& state) { return std::exchange(state.store, nullptr); });
  store.reset();
  log_info("the vault is locked");
  if (options_.on_lock) options_.on_lock();
}

}  // namespace hearth::node
