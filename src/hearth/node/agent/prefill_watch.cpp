// What the coordinator learns between requests, on the thread "peer_watch": who is there, whether the pair fits, what
// peers computed for others. And the book of rates, from one life of this process to the next.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hearth/base/file.h"
#include "hearth/base/log.h"
#include "hearth/node/agent/prefill_coordinator.h"
#include "hearth/node/membership/cluster_folder.h"

namespace hearth::node {
namespace {

constexpr Duration look_deadline = std::chrono::seconds(2);
constexpr std::ptrdiff_t silent_looks_max = 3;  // a round
constexpr Duration save_interval = std::chrono::minutes(5);
constexpr std::uint64_t rates_file_bytes_max = 4u << 20;

Instant now() { return std::chrono::steady_clock::now(); }

}  // namespace

// A book that cannot be read is a book of nothing: everything is learned again.
void PrefillCoordinator::load_rates() {
  if (options_.rates_file.empty()) return;
  const auto text = read_text_file(options_.rates_file, rates_file_bytes_max);
  if (!text) return;
  const auto json = parse_json(*text);
  auto book = json ? cluster::RateBook::from_json(*json, now()) : Result<cluster::RateBook>(std::unexpected(json.error()));
  if (book) rates_ = *std::move(book);
  else log_warning(options_.rates_file.string() + ": " + book.error().message);
}

void PrefillCoordinator::save_rates() const {
  if (options_.rates_file.empty()) return;
  const std::string text = [&] {
    const std::lock_guard hold(mutex_);
    return dump_json(rates_.to_json(now()));
  }();
  if (const auto saved = write_cluster_file(options_.rates_file, text); !saved) {
    log_warning("rates are not kept: " + saved.error().message);
  }
}

void PrefillCoordinator::watch() {
  Instant save_at = now() + save_interval;
  while (!stop_.stop_requested()) {
    for (const Peer& peer : due_for_a_look(renew_peers())) {
      if (!stop_.stop_requested()) look_at(peer);
    }
    start_shadow();
    if (now() >= save_at) {
      save_rates();
      save_at = now() + save_interval;
    }
    std::unique_lock hold(mutex_);
    changed_.wait_for(hold, options_.look_interval, [this] { return stop_.stop_requested(); });
  }
}

// Machines join and leave while we run.
std::vector<Peer> PrefillCoordinator::renew_peers() {
  std::vector<Peer> peers = options_.find_peers();
  const std::lock_guard hold(mutex_);
  for (const Peer& peer : peers) notes_[peer.name].peer = peer;
  std::erase_if(notes_, [&](const auto& each) {
    const bool is_gone = std::ranges::find(peers, each.first, &Peer::name) == peers.end();
    if (is_gone) table_.on_removed(each.first);
    return is_gone;
  });
  were_found_ = true;
  changed_.notify_all();
  return peers;
}

// A look at a machine that is switched off takes as long as it may: of those a few a round, in turn, or the others would not
// be heard of in time.
std::vector<Peer> PrefillCoordinator::due_for_a_look(std::vector<Peer> peers) const {
  const std::lock_guard hold(mutex_);
  const auto silence = [&](const Peer& peer) {
    const PeerNotes& notes = notes_.at(peer.name);
    return std::pair(notes.is_silent, notes.looked_at);
  };
  std::ranges::stable_sort(peers, {}, silence);
  const auto silent = std::ranges::find_if(peers, [&](const Peer& peer) { return silence(peer).first; });
  if (peers.end() - silent > silent_looks_max) peers.erase(silent + silent_looks_max, peers.end());
  return peers;
}

std::optional<cluster::HeldModel> PrefillCoordinator::own_model() const {
  const auto worker = keeper_.current();
  if (!worker || !worker->info.identity) return std::nullopt;
  return cluster::HeldModel{worker->info.model_name, *worker->info.identity};
}

void PrefillCoordinator::look_at(const Peer& peer) {
  const Instant began = now();
  const PeerClient client(http_, peer);
  const auto facts = client.facts(Deadline::after(look_deadline), stop_.token());
  const double round_trip_s = seconds(now() - began);
  {
    const std::lock_guard hold(mutex_);
    notes_[peer.name].looked_at = began;
    notes_[peer.name].is_silent = !facts;
    if (!facts) {
      table_.on_lost(peer.name);
      return settle(peer.name, facts.error().message);
    }
  }
  const auto must_try = take_facts(peer, *facts, round_trip_s);
  if (!must_try || !*must_try) {
    const std::lock_guard hold(mutex_);
    if (!must_try) table_.on_lost(peer.name);
    return settle(peer.name, must_try ? "" : must_try.error().message);
  }
  start_trial(peer);
}

Result<bool> PrefillCoordinator::take_facts(const Peer& peer, const NodeFacts& facts,
                                            double round_trip_s) {
  const NodeFacts ours = TRY(agent_.facts());
  const std::lock_guard hold(mutex_);
  const bool allows_other = options_.other_precision.contains(peer.name);
  if (auto refusal = pairing_refusal(ours, facts, allows_other)) {
    return fail(Code::unsupported, "cannot be paired: " + *refusal);
  }
  if (facts.name != peer.name) {
    return fail(Code::permission, fmt::format("it calls itself {}", facts.name));
  }
  // An allowed quantisation counts as ours: the table compares layouts.
  const bool is_other = is_other_precision(ours, facts);
  TRY(table_.on_announced({.machine = peer.name, .incarnation = facts.incarnation,
                           .models = {{ours.model_name, is_other ? *ours.identity : *facts.identity}}},
                          now()));
  rates_.observe_round_trip({options_.machine, peer.name}, round_trip_s, now());
  rates_.observe_round_trip({peer.name, options_.machine}, round_trip_s, now());
  PeerNotes& notes = notes_[peer.name];
  const bool is_new_life = std::exchange(notes.incarnation, facts.incarnation) != facts.incarnation;
  if (is_new_life) {
    notes.pieces_seen = 0;
    notes.parity.reset();  // it may be another build now
    notes.trials_failed = 0;
    notes.try_after = {};
  }
  notes.foreign_layout.reset();
  if (is_other) notes.foreign_layout = model::layout_digest(*facts.identity);
  learn_pieces(notes, facts);
  const bool is_due = now() >= notes.canary_at && facts.prefills_running == 0;
  return is_new_life || !notes.parity || is_due;
}

// With the lock.
void PrefillCoordinator::settle(const std::string& name, std::string trouble) {
  PeerNotes& notes = notes_[name];
  if (!trouble.empty() && trouble != notes.trouble) log_warning(fmt::format("peer {}: {}", name, trouble));
  notes.trouble = std::move(trouble);
  notes.was_looked_at = true;
  changed_.notify_all();
}

// What it did for others teaches too.
void PrefillCoordinator::learn_pieces(PeerNotes& notes, const NodeFacts& facts) {
  const std::uint64_t unseen = facts.pieces_done - std::min(facts.pieces_done, notes.pieces_seen);
  const std::size_t fresh = std::min<std::size_t>(unseen, facts.pieces.size());
  for (const PrefillPiece& piece : std::span(facts.pieces).last(fresh)) {
    rates_.observe_prefill({notes.peer.name, facts.model_name}, piece.tokens, piece.depth_tokens,
                           piece.seconds, now());
  }
  notes.pieces_seen = facts.pieces_done;
}

}  // namespace hearth::node
