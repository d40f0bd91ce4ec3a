// Trials of the coordinator: of a pair before it is trusted and again in service, and of roads not taken.
// One at a time, on the thread "pair_trial", while nobody waits.
#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "hearth/base/log.h"
#include "hearth/node/agent/pair_trial.h"
#include "hearth/node/agent/prefill_coordinator.h"
#include "hearth/node/agent/shadow_run.h"

namespace hearth::node {
namespace {

constexpr Duration look_deadline = std::chrono::seconds(2);
constexpr Duration trial_pause = std::chrono::seconds(2);  // after the first that failed; doubles
constexpr std::uint32_t trial_doublings_max = 8;
// A pair that was good and could not be tried again so often in a row is trusted no longer.
constexpr std::uint32_t canary_failures_max = 5;
constexpr double canary_spread = 0.25;  // of the interval, either way

Instant now() { return std::chrono::steady_clock::now(); }

}  // namespace

void PrefillCoordinator::start_trial(const Peer& peer) {
  {
    const std::lock_guard hold(mutex_);
    if (is_trying_ || now() < notes_[peer.name].try_after) return;
  }
  if (!is_idle()) {
    const std::lock_guard hold(mutex_);
    return settle(peer.name, notes_[peer.name].parity ? "" : "not tried yet: the worker here is busy");
  }
  {
    const std::lock_guard hold(mutex_);
    is_trying_ = true;
  }
  trial_thread_ = Thread("pair_trial", [this, peer] { run_trial(peer); });
}

void PrefillCoordinator::run_trial(const Peer& peer) {
  const auto tried = try_and_learn(peer, stop_.token());
  const auto after = PeerClient(http_, peer).facts(Deadline::after(look_deadline), stop_.token());
  const std::lock_guard hold(mutex_);
  is_trying_ = false;
  PeerNotes& notes = notes_[peer.name];
  if (after) learn_pieces(notes, *after);
  notes.trials_failed = tried ? 0 : notes.trials_failed + 1;
  const auto doublings = std::min(notes.trials_failed, trial_doublings_max);
  notes.try_after = now() + trial_pause * (tried ? 0 : 1 << doublings);
  keep_canary(peer.name, notes, tried);
  settle(peer.name, tried ? tried->fault : tried.error().message);
}

cluster::ParityLimits PrefillCoordinator::limits_for(const std::string& peer) const {
  cluster::ParityLimits limits = options_.parity;
  const auto notes = notes_.find(peer);
  const bool is_foreign = notes != notes_.end() && notes->second.foreign_layout;
  if (const auto allowed = options_.other_precision.find(peer);
      is_foreign && allowed != options_.other_precision.end()) {
    limits = {.kl_max = allowed->second, .needs_exact = false, .needs_equal_top = false, .tokens_equal_min = 0};
  }
  return limits;
}

// With the lock. The first trial of a pair is one too.
void PrefillCoordinator::keep_canary(const std::string& peer, PeerNotes& notes,
                                     const Result<cluster::JudgedParity>& tried) {
  cluster::Canary canary{.peer = peer, .parity = {}, .fault = {}};
  if (tried) {
    canary.parity = tried->parity;
    canary.fault = tried->fault;
    std::uniform_real_distribution<double> chance(1 - canary_spread, 1 + canary_spread);
    std::random_device device;
    notes.canary_at = now() + std::chrono::duration_cast<Duration>(options_.canary_interval * chance(device));
  } else {
    canary.fault = "not tried: " + tried.error().message;
    // Closed until it has been: nobody knows what it computes now.
    if (notes.trials_failed >= canary_failures_max) notes.parity.reset();
  }
  log_.on_canary(std::move(canary));
}

// A trial costs this worker the prefill of some chunks: nobody is made to wait for it.
bool PrefillCoordinator::is_idle() const {
  const auto worker = keeper_.current();
  if (!worker) return false;
  const auto stats = worker->client.stats(Deadline::after(look_deadline), stop_.token());
  return stats && get_or<std::uint64_t>(*stats, "jobs_running", 1).value_or(1) == 0 &&
         get_or<std::uint64_t>(*stats, "jobs_pending", 1).value_or(1) == 0 &&
         get_or<std::uint64_t>(*stats, "slots_leased", 1).value_or(1) == 0;
}

Result<cluster::JudgedParity> PrefillCoordinator::try_and_learn(const Peer& peer, const StopToken& stop) {
  const auto worker = keeper_.current();
  if (!worker) return fail(Code::unavailable, "the worker is being started");
  PeerPrefiller prefiller = prefiller_for(peer, {});
  const auto limits = [&] {
    const std::lock_guard hold(mutex_);
    return limits_for(peer.name);
  }();
  auto report = try_until_sure(
      [&] { return try_pair(*worker, prefiller, std::random_device{}(), stop); }, limits);
  const std::lock_guard hold(mutex_);
  PeerNotes& notes = notes_[peer.name];
  if (!report) return std::unexpected(std::move(report.error()));
  const cluster::MachineModel here{options_.machine, worker->info.model_name};
  for (const PrefillPiece& piece : report->local_prefill) {
    rates_.observe_prefill(here, piece.tokens, piece.depth_tokens, piece.seconds, now());
  }
  rates_.observe_import(here, worker->info.chunk_tokens, report->import_s, now());
  rates_.observe_decode(here, report->decode_s, now());
  notes.parity = report->parity;
  std::string fault = cluster::parity_fault(report->parity, limits);
  if (!fault.empty()) table_.on_distrusted(peer.name, "parity: " + fault);
  return cluster::JudgedParity{report->parity, std::move(fault)};
}

Result<cluster::JudgedParity> PrefillCoordinator::try_peer(const std::string& name, const StopToken& stop) {
  std::optional<Peer> peer;
  {
    const std::lock_guard hold(mutex_);
    if (const auto found = notes_.find(name); found != notes_.end()) peer = found->second.peer;
  }
  if (!peer) return fail(Code::not_found, fmt::format("no other machine of the cluster is called {}", name));
  return try_and_learn(*peer, stop);
}

// A past decision's alternative, now that nobody waits. Only of prompts that began from nothing: what
// is there by now would make any other road shorter than it was.
void PrefillCoordinator::start_shadow() {
  {
    const std::lock_guard hold(mutex_);
    if (is_trying_ || !last_finished_) return;
  }
  if (!is_idle()) return;
  const auto shadow = take_shadow();
  if (!shadow) return;
  trial_thread_ = Thread("pair_trial", [this, shadow = *shadow] { run_shadow_check(shadow); });
}

std::optional<PrefillCoordinator::Shadow> PrefillCoordinator::take_shadow() {
  const std::lock_guard hold(mutex_);
  if (!last_finished_) return std::nullopt;
  const Running finished = *std::exchange(last_finished_, std::nullopt);
  const auto option = log_.shadow_check(finished.decision, /*is_idle=*/true);
  if (!option || *option >= finished.prefills.size()) return std::nullopt;
  Shadow shadow{.decision = finished.decision, .option = *option,
                .prompt_tokens = finished.prompt_tokens, .peer = {}};
  if (const std::string& name = finished.prefills[*option]; !name.empty()) {
    const auto notes = notes_.find(name);
    if (notes == notes_.end()) return std::nullopt;
    shadow.peer = notes->second.peer;
  }
  is_trying_ = true;
  return shadow;
}

void PrefillCoordinator::run_shadow_check(const Shadow& shadow) {
  Result<double> measured = fail(Code::unavailable, "the worker is being started");
  if (const auto worker = keeper_.current()) {
    std::optional<PeerPrefiller> prefiller;
    if (shadow.peer) prefiller.emplace(prefiller_for(*shadow.peer, {}));
    measured = run_shadow({.worker = *worker, .prefiller = prefiller ? &*prefiller : nullptr,
                           .prompt_tokens = shadow.prompt_tokens, .seed = std::random_device{}()},
                          stop_.token());
  }
  const std::lock_guard hold(mutex_);
  is_trying_ = false;
  if (measured) log_.on_shadow(shadow.decision, shadow.option, *measured);
  else log_debug("a shadow check was not finished: " + measured.error().message);
}

}  // namespace hearth::node
