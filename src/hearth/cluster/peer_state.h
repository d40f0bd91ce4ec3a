#pragma once
// What is known of the other machines: which life they are in, which models they hold and in which
// layout, whether they are busy, when they were last heard of. Pairs that cannot exchange KV are
// told so here, when a machine joins, with the field that differs: not when a request comes.
//
// Not thread-safe. No clock; bounded.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/result.h"
#include "hearth/cluster/prefill_choice.h"
#include "hearth/model/layout_identity.h"

namespace hearth::cluster {

inline constexpr std::size_t peers_max = 64;
inline constexpr std::size_t peer_models_max = 64;
inline constexpr Duration peer_silence_max = std::chrono::seconds(15);

struct HeldModel {
  std::string model;
  model::LayoutIdentity layout;
};

// What a machine says of itself when it joins and whenever it changes.
struct PeerAnnouncement {
  std::string machine;
  std::uint64_t incarnation = 0;  // larger with every start of its agent
  std::vector<HeldModel> models;
};

enum class Pairing : std::uint8_t { compatible, other_layout, model_not_held, unknown_peer };

struct PairingVerdict {
  Pairing pairing = Pairing::unknown_peer;
  std::string reason;  // "k_type: f16 against q8_0"; empty when compatible
};

class PeerTable {
 public:
  enum class Heard : std::uint8_t { joined, same_life, restarted, stale };

  // resource_exhausted beyond the limits. A restart forgets what the former life was busy with.
  // `stale`: of a life that is over; nothing changes.
  Result<Heard> on_announced(PeerAnnouncement announcement, Instant now);
  // Any sign of life. False: of another life than the one we know; ask it to announce itself.
  bool on_heard(const std::string& machine, std::uint64_t incarnation, Instant now);
  void on_lost(const std::string& machine);  // connection refused, certificate revoked
  void on_removed(const std::string& machine) { peers_.erase(machine); }
  // It refused work and asks to be left alone for so long.
  void on_busy(const std::string& machine, Duration for_long, Instant now);
  // It sent what no honest machine sends. Lasts until it is removed or restarted.
  void on_distrusted(const std::string& machine, std::string why);
  bool is_distrusted(const std::string& machine) const;

  PairingVerdict pairing(const std::string& machine, const HeldModel& own) const;
  // Why it cannot take a prefill of that model now; empty: it can. The words of a Choice.
  std::string why_excluded(const std::string& machine, const std::string& model, Instant now) const;
  // Every peer as an option; held tokens and queues are the caller's to fill in.
  std::vector<PrefillSide> prefill_sides(const HeldModel& own, const std::string& own_machine,
                                         Instant now) const;

  std::optional<std::uint64_t> incarnation(const std::string& machine) const;
  std::optional<Duration> age(const std::string& machine, Instant now) const;
  std::uint32_t restarts(const std::string& machine) const;
  std::size_t size() const { return peers_.size(); }

 private:
  struct Peer {
    std::uint64_t incarnation = 0;
    std::map<std::string, model::LayoutIdentity> models;
    Instant last_heard{};
    Instant busy_until{};
    bool is_lost = false;
    std::string distrusted;
    std::uint32_t restarts = 0;
  };
  Peer* find(const std::string& machine);
  const Peer* find(const std::string& machine) const;

  std::map<std::string, Peer> peers_;
};

}  // namespace hearth::cluster
