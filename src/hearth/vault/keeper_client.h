#pragma once
// The keys of a vault that another process keeps open. When that one locks, the keys here are wiped at
// once and `on_lock` runs (on the thread "vault-watch"); from then on every call is unavailable.
// Thread-safe.

#include "hearth/base/stop.h"
#include "hearth/base/thread.h"
#include "hearth/net/stream.h"
#include "hearth/vault/vault.h"

namespace hearth::vault {

class KeeperClient final : public KeySource {
 public:
  // unavailable when nobody keeps the vault open: "hearth vault unlock" does.
  static Result<std::unique_ptr<KeeperClient>> connect(const std::filesystem::path& vault_directory,
                                                       std::function<void()> on_lock = {});
  ~KeeperClient() override;

  Result<SharedSecret> key(std::string_view collection) override;
  Result<std::filesystem::path> folder(std::string_view collection) override;
  Result<> forget(std::string_view collection) override;
  Result<std::vector<std::string>> collections() override;
  // {"collections":3,"idle_left_s":512.5,"damaged_keys":[]}; does not count as use.
  Result<std::string> status_json();
  Result<> lock();
  bool is_locked() const;

 private:
  KeeperClient() = default;
  void watch();

  struct State {
    std::unique_ptr<net::Stream> asks;  // one question at a time; none after one that failed
    std::map<std::string, SharedSecret, std::less<>> keys;
    bool is_locked = false;
  };
  Result<Secret> ask(State& state, int what, std::string_view name);
  std::filesystem::path directory_;
  mutable Guarded<State> state_;
  std::unique_ptr<net::Stream> watched_;
  std::function<void()> on_lock_;
  StopSource stop_;
  Thread watcher_;
};

}  // namespace hearth::vault
