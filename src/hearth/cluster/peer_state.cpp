#include "hearth/cluster/peer_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hearth::cluster {
namespace {

constexpr Duration busy_max = std::chrono::seconds(60);

}  // namespace

PeerTable::Peer* PeerTable::find(const std::string& machine) {
  const auto found = peers_.find(machine);
  return found == peers_.end() ? nullptr : &found->second;
}

const PeerTable::Peer* PeerTable::find(const std::string& machine) const {
  const auto found = peers_.find(machine);
  return found == peers_.end() ? nullptr : &found->second;
}

Result<PeerTable::Heard> PeerTable::on_announced(PeerAnnouncement announcement, Instant now) {
  Peer* known = find(announcement.machine);
  if (known && announcement.incarnation < known->incarnation) return Heard::stale;
  if ((!known && peers_.size() >= peers_max) || announcement.models.size() > peer_models_max) {
    return fail(Code::resource_exhausted,
                fmt::format("{} announces itself with {} models; at most {} machines with {} "
                            "models each are kept: remove one with 'hearth cluster remove'",
                            announcement.machine, announcement.models.size(), peers_max,
                            peer_models_max));
  }
  Heard heard = known ? Heard::same_life : Heard::joined;
  if (known && announcement.incarnation > known->incarnation) {
    heard = Heard::restarted;
    const std::uint32_t restarts = known->restarts + 1;
    *known = {};
    known->restarts = restarts;
  }
  Peer& peer = peers_[announcement.machine];
  peer.incarnation = announcement.incarnation;
  peer.last_heard = now;
  peer.is_lost = false;
  peer.models.clear();
  for (HeldModel& held : announcement.models) {
    peer.models.insert_or_assign(std::move(held.model), std::move(held.layout));
  }
  return heard;
}

bool PeerTable::on_heard(const std::string& machine, std::uint64_t incarnation, Instant now) {
  Peer* peer = find(machine);
  if (!peer || peer->incarnation != incarnation) return false;
  peer->last_heard = std::max(peer->last_heard, now);
  peer->is_lost = false;
  return true;
}

void PeerTable::on_lost(const std::string& machine) {
  if (Peer* peer = find(machine)) peer->is_lost = true;
}

void PeerTable::on_busy(const std::string& machine, Duration for_long, Instant now) {
  if (Peer* peer = find(machine)) peer->busy_until = now + std::min(for_long, busy_max);
}

bool PeerTable::is_distrusted(const std::string& machine) const {
  const Peer* peer = find(machine);
  return peer != nullptr && !peer->distrusted.empty();
}

void PeerTable::on_distrusted(const std::string& machine, std::string why) {
  if (Peer* peer = find(machine)) peer->distrusted = std::move(why);
}

PairingVerdict PeerTable::pairing(const std::string& machine, const HeldModel& own) const {
  const Peer* peer = find(machine);
  if (!peer) return {Pairing::unknown_peer, machine + " has not joined"};
  const auto held = peer->models.find(own.model);
  if (held == peer->models.end()) return {Pairing::model_not_held, "does not hold the model"};
  if (auto difference = model::describe_difference(own.layout, held->second)) {
    return {Pairing::other_layout, std::move(*difference)};
  }
  return {Pairing::compatible, ""};
}

std::string PeerTable::why_excluded(const std::string& machine, const std::string& model,
                                    Instant now) const {
  const Peer* peer = find(machine);
  if (!peer) return "has not joined";
  if (!peer->distrusted.empty()) return "distrusted: " + peer->distrusted;
  if (peer->is_lost) return "not reachable";
  if (now - peer->last_heard > peer_silence_max) {
    return fmt::format("not heard of for {}", seconds_text(seconds(now - peer->last_heard)));
  }
  if (!peer->models.contains(model)) return "does not hold the model";
  if (now < peer->busy_until) return "busy";
  return {};
}

std::vector<PrefillSide> PeerTable::prefill_sides(const HeldModel& own,
                                                  const std::string& own_machine,
                                                  Instant now) const {
  std::vector<PrefillSide> out;
  for (const auto& [machine, peer] : peers_) {
    PrefillSide side{.name = machine, .excluded = why_excluded(machine, own.model, now)};
    PairingVerdict verdict = pairing(machine, own);
    if (verdict.pairing == Pairing::other_layout) {
      side.other_layout.emplace(own_machine, std::move(verdict.reason));
    }
    out.push_back(std::move(side));
  }
  return out;
}

std::optional<std::uint64_t> PeerTable::incarnation(const std::string& machine) const {
  const Peer* peer = find(machine);
  if (!peer) return {};
  return peer->incarnation;
}

std::optional<Duration> PeerTable::age(const std::string& machine, Instant now) const {
  const Peer* peer = find(machine);
  if (!peer) return {};
  return now - peer->last_heard;
}

std::uint32_t PeerTable::restarts(const std::string& machine) const {
  const Peer* peer = find(machine);
  return peer ? peer->restarts : 0;
}

}  // namespace hearth::cluster
