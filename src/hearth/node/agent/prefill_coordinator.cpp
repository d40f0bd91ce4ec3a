#include "hearth/node/agent/prefill_coordinator.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "hearth/base/log.h"
#include "hearth/node/agent/pair_trial.h"
#include "hearth/node/membership/cluster_folder.h"

namespace hearth::node {
namespace {

constexpr Duration look_deadline = std::chrono::seconds(2);
constexpr Duration save_interval = std::chrono::minutes(5);
constexpr std::uint64_t rates_file_bytes_max = 4u << 20;
constexpr Duration trial_pause = std::chrono::seconds(2);  // after the first that failed; doubles
constexpr std::uint32_t trial_doublings_max = 8;
constexpr Duration busy_unknown = std::chrono::seconds(2);
constexpr std::size_t running_max = 256;
constexpr std::size_t peers_asked_max = 3;  // for one prompt: then this machine computes it
// A pair that was good and could not be tried again so often in a row is trusted no longer.
constexpr std::uint32_t canary_failures_max = 5;
constexpr double canary_spread = 0.25;  // of the interval, either way

Instant now() { return std::chrono::steady_clock::now(); }

Duration to_duration(double s) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
}

}  // namespace

PrefillCoordinator::PrefillCoordinator(CoordinatorOptions options, AgentService& agent,
                                       WorkerKeeper& keeper, Inbox& inbox, net::HttpClient& http)
    : options_(std::move(options)), agent_(agent), keeper_(keeper), inbox_(inbox), http_(http),
      log_(std::random_device{}()) {
  load_rates();
  agent_.set_on_transfer([this](const std::string& from, std::uint64_t bytes, double s) {
    const std::lock_guard hold(mutex_);
    rates_.observe_transfer({from, options_.machine}, bytes, s, now());
  });
  thread_ = Thread("peer_watch", [this] { watch(); });
}

PrefillCoordinator::~PrefillCoordinator() {
  stop_.request_stop();
  {
    const std::lock_guard hold(mutex_);
    changed_.notify_all();
  }
  thread_.join();
  trial_thread_.join();
  save_rates();
}

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
    for (const Peer& peer : renew_peers()) {
      if (!stop_.stop_requested()) look_at(peer);
    }
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
  if (!facts) {
    const std::lock_guard hold(mutex_);
    table_.on_lost(peer.name);
    return settle(peer.name, facts.error().message);
  }
  const auto must_try = take_facts(peer, *facts, round_trip_s);
  if (!must_try || !*must_try) {
    const std::lock_guard hold(mutex_);
    if (!must_try) table_.on_lost(peer.name);
    return settle(peer.name, must_try ? "" : must_try.error().message);
  }
  start_trial(peer);
}

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
  const auto parity = try_and_learn(peer, stop_.token());
  const auto after = PeerClient(http_, peer).facts(Deadline::after(look_deadline), stop_.token());
  const std::lock_guard hold(mutex_);
  is_trying_ = false;
  PeerNotes& notes = notes_[peer.name];
  if (after) learn_pieces(notes, *after);
  notes.trials_failed = parity ? 0 : notes.trials_failed + 1;
  const auto doublings = std::min(notes.trials_failed, trial_doublings_max);
  notes.try_after = now() + trial_pause * (parity ? 0 : 1 << doublings);
  keep_canary(peer.name, notes, parity);
  settle(peer.name, parity ? cluster::parity_fault(*parity, limits_for(peer.name)) : parity.error().message);
}

cluster::ParityLimits PrefillCoordinator::limits_for(const std::string& peer) const {
  cluster::ParityLimits limits = options_.parity;
  const auto notes = notes_.find(peer);
  const bool is_foreign = notes != notes_.end() && notes->second.foreign_layout;
  if (const auto allowed = options_.other_precision.find(peer);
      is_foreign && allowed != options_.other_precision.end()) {
    limits = {.kl_max = allowed->second, .needs_exact = false};
  }
  return limits;
}

// With the lock. The first trial of a pair is one too.
void PrefillCoordinator::keep_canary(const std::string& peer, PeerNotes& notes,
                                     const Result<cluster::Parity>& parity) {
  cluster::Canary canary{.peer = peer, .parity = {}, .fault = {}};
  if (parity) {
    canary.parity = *parity;
    canary.fault = cluster::parity_fault(*parity, limits_for(peer));
    std::uniform_real_distribution<double> chance(1 - canary_spread, 1 + canary_spread);
    std::random_device device;
    notes.canary_at = now() + to_duration(seconds(options_.canary_interval) * chance(device));
  } else {
    canary.fault = "not tried: " + parity.error().message;
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

Result<bool> PrefillCoordinator::take_facts(const Peer& peer, const NodeFacts& facts,
                                            double round_trip_s) {
  const NodeFacts ours = TRY(agent_.facts());
  const std::lock_guard hold(mutex_);
  if (facts.name != peer.name) {
    return fail(Code::permission, fmt::format("it calls itself {}", facts.name));
  }
  const bool allows_other = options_.other_precision.contains(peer.name);
  if (auto refusal = pairing_refusal(ours, facts, allows_other)) {
    return fail(Code::unsupported, "cannot be paired: " + *refusal);
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

Result<cluster::Parity> PrefillCoordinator::try_and_learn(const Peer& peer, const StopToken& stop) {
  const auto worker = keeper_.current();
  if (!worker) return fail(Code::unavailable, "the worker is being started");
  PeerPrefiller prefiller = prefiller_for(peer, 0, /*moves_prefix=*/false, /*request=*/{});
  auto report = try_pair(*worker, prefiller, std::random_device{}(), stop);
  const std::lock_guard hold(mutex_);
  PeerNotes& notes = notes_[peer.name];
  if (!report) return std::unexpected(std::move(report.error()));
  const cluster::MachineModel here{options_.machine, worker->info.model_name};
  for (const TrialPiece& piece : report->local_prefill) {
    rates_.observe_prefill(here, piece.tokens, piece.depth_tokens, piece.seconds, now());
  }
  rates_.observe_import(here, worker->info.chunk_tokens, report->import_s, now());
  rates_.observe_decode(here, report->decode_s, now());
  notes.parity = report->parity;
  const std::string fault = cluster::parity_fault(report->parity, limits_for(peer.name));
  if (!fault.empty()) table_.on_distrusted(peer.name, "parity: " + fault);
  return report->parity;
}

cluster::PrefillSituation PrefillCoordinator::situation(const PrefillOrder& order,
                                                        const std::set<std::string>& tried) const {
  const auto worker = keeper_.current();
  const auto own = own_model();
  cluster::PrefillSituation out;
  if (!worker || !own) return out;
  out.model = own->model;
  out.prompt_tokens = static_cast<std::uint32_t>(order.target.size()) + 1;
  out.chunk_tokens = worker->info.chunk_tokens;
  out.kv_bytes_per_token =
      double(worker->info.kv_bytes) / std::max(worker->info.limits.context_tokens, 1u);
  out.decode.push_back({.machine = options_.machine, .held_tokens = order.held_tokens,
                        .stored_tokens = order.from()});
  out.prefill = table_.prefill_sides(*own, options_.machine, now());
  for (cluster::PrefillSide& side : out.prefill) {
    const auto notes = notes_.find(side.name);
    side.takes_chunks = notes == notes_.end() || !notes->second.foreign_layout;
    if (tried.contains(side.name)) side.excluded = "was asked already";
    else if (side.excluded.empty() && (notes == notes_.end() || !notes->second.parity)) side.excluded = "not tried yet";
  }
  out.policy = options_.policy;
  out.error_share = log_.error_share();
  out.now = now();
  return out;
}

PeerPrefiller PrefillCoordinator::prefiller_for(const Peer& peer, std::uint32_t from,
                                                bool moves_prefix,
                                                std::optional<std::uint64_t> request) {
  PeerPrefillParts parts{.peer = PeerClient(http_, peer), .inbox = inbox_,
                         .deliver_to = options_.deliver_to, .moves_prefix = moves_prefix};
  const auto worker = keeper_.current();
  cluster::DecodeRunParameters& parameters = parts.parameters;
  parameters.patience.chunk_compute = piece_unknown;
  if (worker) {
    parameters.chunk_tokens = worker->info.chunk_tokens;
    const std::string& model = worker->info.model_name;
    const std::lock_guard hold(mutex_);
    const auto remote = rates_.prefill({peer.name, model}, now());
    if (const auto here = rates_.prefill({options_.machine, model}, now())) {
      if (const auto piece = here->seconds(parameters.chunk_tokens, from)) {
        parameters.worker_piece = to_duration(piece->value);
      }
    }
    if (request) {  // a trial is finished, however slow
      parameters.remote = remote;
      // To see whether going on here would be faster: not asked where the way is ordered.
      if (options_.policy != cluster::PrefillPolicy::remote) {
        parameters.local = rates_.prefill({options_.machine, model}, now());
      }
    }
    if (remote) {
      if (const auto piece = remote->seconds(parameters.chunk_tokens, from)) {
        parameters.patience.chunk_compute = to_duration(piece->value);
      }
    }
    if (const auto byte_s = rates_.byte_s({peer.name, options_.machine}, now())) {
      parameters.patience.link_bytes_per_s = 1 / byte_s->value;
      const double token_bytes = double(worker->info.kv_bytes) / std::max(worker->info.limits.context_tokens, 1u);
      parameters.transfer_token_s = token_bytes * byte_s->value;
      parameters.tail_s = parameters.chunk_tokens * parameters.transfer_token_s;
    }
  }
  {
    const std::lock_guard hold(mutex_);
    if (const auto notes = notes_.find(peer.name); notes != notes_.end()) {
      parts.foreign_layout = notes->second.foreign_layout;
    }
  }
  if (request) {
    parts.on_over = [this, name = peer.name, id = *request](const cluster::DecodeRunOver& over) {
      on_over(name, id, over);
    };
  }
  return PeerPrefiller(std::move(parts));
}

void PrefillCoordinator::on_over(const std::string& peer, std::uint64_t request,
                                 const cluster::DecodeRunOver& over) {
  using Kind = cluster::DecodeRunOver::Kind;
  const std::lock_guard hold(mutex_);
  if (const auto found = running_.find(request);
      found != running_.end() && over.kind != Kind::complete && over.kind != Kind::cancelled) {
    found->second.as_chosen = false;
    found->second.outcome = "finished locally: " + over.reason;
  }
  if (over.peer_lied) table_.on_distrusted(peer, over.reason);
  if (over.kind == Kind::busy) {
    table_.on_busy(peer, over.busy_for > Duration::zero() ? over.busy_for : busy_unknown, now());
  }
}

Result<std::unique_ptr<ChunkSource>> PrefillCoordinator::open(const PrefillOrder& order,
                                                              const StopToken& stop) {
  std::set<std::string> tried;
  while (true) {
    std::optional<Peer> peer;
    bool moves_prefix = false;
    {
      const std::lock_guard hold(mutex_);
      const cluster::PrefillSituation asked = situation(order, tried);
      if (asked.decode.empty()) return nullptr;
      const cluster::Choice choice = cluster::choose(asked, rates_);
      const cluster::PrefillOption* chosen = choice.find_chosen();
      if (tried.empty()) {
        forget_oldest();
        running_[order.request] = {.decision = log_.add(fmt::format("{}", order.request), choice),
                                   .outcome = "as chosen"};
        log_info(fmt::format("request {}: {}", order.request, choice.sentence));
      }
      if (chosen == nullptr || chosen->is_alone() || tried.size() == peers_asked_max) return nullptr;
      peer = notes_.at(chosen->prefill).peer;
      if (notes_.at(chosen->prefill).foreign_layout && tried.empty()) {
        running_[order.request].outcome = "as chosen, with another quantisation of the model";
      }
      moves_prefix = chosen->moves_prefix;
    }
    tried.insert(peer->name);
    auto source = prefiller_for(*peer, order.from(), moves_prefix, order.request).open(order, stop);
    if (source) return source;
    if (source.error().code == Code::cancelled) return source;
    const std::lock_guard hold(mutex_);
    running_[order.request].as_chosen = false;
    running_[order.request].outcome = "another way: " + source.error().message;
  }
}

// Requests whose clients left before the first token are never heard of again.
void PrefillCoordinator::forget_oldest() {
  if (running_.size() < running_max) return;
  log_.on_failed(running_.begin()->second.decision, "left before its first token");
  running_.erase(running_.begin());
}

void PrefillCoordinator::on_first_token(const FirstToken& first) {
  const auto worker = keeper_.current();
  const std::lock_guard hold(mutex_);
  if (worker && first.computed_tokens > 1) {
    rates_.observe_prefill({options_.machine, worker->info.model_name}, first.computed_tokens,
                           first.depth_tokens, seconds(first.prefill), now());
  }
  const auto found = running_.find(first.request);
  if (found == running_.end()) return;
  log_.on_finished(found->second.decision, seconds(first.since_request), found->second.as_chosen,
                   found->second.outcome);
  running_.erase(found);
}

Json PrefillCoordinator::decisions() const {
  const std::lock_guard hold(mutex_);
  return log_.to_json();
}

Json PrefillCoordinator::peers() const {
  const std::lock_guard hold(mutex_);
  const auto own = own_model();
  Json out = Json::array();
  for (const auto& [name, notes] : notes_) {
    const std::string excluded = own ? table_.why_excluded(name, own->model, now()) : "no worker here";
    Json peer = Json::object({{"name", name},
                              {"address", notes.peer.address.text()},
                              {"usable", excluded.empty() && notes.parity.has_value()},
                              {"why_not", excluded},
                              {"trouble", notes.trouble},
                              {"restarts", table_.restarts(name)}});
    if (notes.parity) peer.set("parity", cluster::parity_json(*notes.parity));
    if (notes.foreign_layout) peer.set("other_precision", true);
    if (const auto age = table_.age(name, now())) peer.set("heard_s", seconds(*age));
    if (const auto round_trip = rates_.round_trip_s({options_.machine, name}, now())) {
      peer.set("round_trip_ms", round_trip->value * 1e3);
    }
    if (const auto byte_s = rates_.byte_s({name, options_.machine}, now())) {
      peer.set("link_mb_per_s", 1e-6 / byte_s->value);
    }
    out.push(std::move(peer));
  }
  return out;
}

Result<cluster::Parity> PrefillCoordinator::try_peer(const std::string& name, const StopToken& stop) {
  std::optional<Peer> peer;
  {
    const std::lock_guard hold(mutex_);
    if (const auto found = notes_.find(name); found != notes_.end()) peer = found->second.peer;
  }
  if (!peer) return fail(Code::not_found, fmt::format("no other machine of the cluster is called {}", name));
  return try_and_learn(*peer, stop);
}

bool PrefillCoordinator::wait_until_tried(Deadline deadline) const {
  std::unique_lock hold(mutex_);
  return changed_.wait_until(hold, deadline.when(), [this] {
    return were_found_ &&
           std::ranges::all_of(notes_, [](const auto& each) { return each.second.was_looked_at; });
  });
}

}  // namespace hearth::node
