#pragma once
// Keeps a vault open for the other processes of its user, and closes it: when somebody says so, when
// nobody has asked for longer than the idle time, when it is stopped. To lock is to wipe the keys and
// hang up on everybody; clients wipe theirs when they notice (keeper_client.h).
//
// Threads: run() accepts on the caller's; one thread "vault-client" a connection, at most
// keeper_clients_max.

#include <atomic>
#include <list>
#include <optional>

#include "hearth/base/clock.h"
#include "hearth/base/thread.h"
#include "hearth/net/listener.h"
#include "hearth/vault/vault.h"

namespace hearth::vault {

inline constexpr std::size_t keeper_clients_max = 64;

// Where the keeper of this vault listens.
net::Address keeper_address(const std::filesystem::path& vault_directory);

enum class LockCause : std::uint8_t { asked, idle, stopped };

// When to lock for want of use. Pure.
class IdleTimer {
 public:
  IdleTimer(Duration idle_max, Instant now) : idle_max_(idle_max), used_at_(now) {}
  void touch(Instant now) { used_at_ = std::max(used_at_, now); }
  bool is_over(Instant now) const { return idle_max_ > Duration::zero() && now - used_at_ >= idle_max_; }
  // Instant::max() without an idle time.
  Instant ends_at() const { return idle_max_ > Duration::zero() ? used_at_ + idle_max_ : Instant::max(); }

 private:
  Duration idle_max_;  // zero: never
  Instant used_at_;
};

class Keeper {
 public:
  Keeper(std::unique_ptr<Vault> vault, net::Listener listener, Duration idle_max);
  ~Keeper();
  // Until the vault is locked. Afterwards the keys are wiped and nobody is connected.
  Result<LockCause> run(const StopToken& stop);

 private:
  struct Client;
  void serve(Client& client);
  bool answer(Client& client);
  void reap();

  std::unique_ptr<Vault> vault_;
  std::optional<net::Listener> listener_;  // gone once locked
  Guarded<IdleTimer> idle_;
  StopSource locked_;
  std::atomic<bool> asked_ = false;
  std::list<std::unique_ptr<Client>> clients_;
};

}  // namespace hearth::vault
