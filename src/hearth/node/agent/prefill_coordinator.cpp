#include "hearth/node/agent/prefill_coordinator.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "hearth/base/log.h"
#include "hearth/model/state_layout.h"

namespace hearth::node {
namespace {

constexpr Duration busy_unknown = std::chrono::seconds(2);
constexpr std::uint64_t staged_chunks = 4;  // of one hand-off that are here and not imported yet
constexpr std::size_t peers_asked_max = 3;  // for one prompt: then this machine computes it

Instant now() { return std::chrono::steady_clock::now(); }

double kv_bytes_per_token(const WorkerInfo& info) {
  return double(info.kv_bytes) / std::max(info.limits.context_tokens, 1u);
}

// The largest that comes: a hybrid model's recurrent state is in the last chunk, whatever its length.
std::uint64_t chunk_bytes_max(const WorkerInfo& info) {
  return info.identity ? model::state_bytes(info.identity->state, info.chunk_tokens) + kv::header_bytes_max : 0;
}

cluster::Beside beside(std::uint32_t answers) {
  return answers > 0 ? cluster::Beside::answers : cluster::Beside::nothing;
}

Duration to_duration(double s) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
}

}  // namespace

PrefillCoordinator::PrefillCoordinator(CoordinatorOptions options, AgentService& agent,
                                       WorkerKeeper& keeper, Inbox& inbox, net::HttpClient& http)
    : options_(std::move(options)), agent_(agent), keeper_(keeper), inbox_(inbox), http_(http),
      policy_(options_.policy), log_(std::random_device{}(), options_.shadows) {
  load_rates();
  agent_.set_on_transfer([this](const AgentService::Transfer& transfer) {
    const std::lock_guard hold(mutex_);
    holdings_.add(transfer.peer, transfer.key);
    if (const auto& arrival = transfer.arrival) {
      rates_.observe_transfer({transfer.peer, options_.machine}, arrival->bytes, arrival->seconds, now());
    }
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

cluster::PrefillSituation PrefillCoordinator::situation(const PrefillOrder& order,
                                                        const std::set<std::string>& tried) const {
  const auto worker = keeper_.current();
  const auto own = own_model();
  cluster::PrefillSituation out;
  if (!worker || !own) return out;
  out.model = own->model;
  out.prompt_tokens = static_cast<std::uint32_t>(order.target.size()) + 1;
  out.chunk_tokens = worker->info.chunk_tokens;
  out.kv_bytes_per_token = kv_bytes_per_token(worker->info);
  out.decode.push_back({.machine = options_.machine, .held_tokens = order.held_tokens,
                        .stored_tokens = order.from(), .prompts_left_s = own_queue_.left_s(now()),
                        .beside = beside(order.answers_beside)});
  out.prefill = table_.prefill_sides(*own, options_.machine, now());
  for (cluster::PrefillSide& side : out.prefill) {
    const auto notes = notes_.find(side.name);
    const auto foreign_layout = notes == notes_.end() ? std::nullopt : notes->second.foreign_layout;
    side.takes_chunks = !foreign_layout;
    side.held_tokens = holdings_.held_tokens(side.name, stored_names(order, foreign_layout));
    if (tried.contains(side.name)) side.excluded = "was asked already";
    else if (side.excluded.empty() && (notes == notes_.end() || !notes->second.parity)) side.excluded = "not tried yet";
  }
  if (options_.pool != nullptr) out.prefill.push_back(pool_side(order, tried.contains(options_.pool->name())));
  out.policy = policy_;
  out.error_share = log_.error_share();
  out.now = now();
  return out;
}

PeerPrefiller PrefillCoordinator::prefiller_for(const Peer& peer, const Way& way) {
  PeerPrefillParts parts{.peer = PeerClient(http_, peer), .inbox = inbox_,
                         .deliver_to = options_.deliver_to, .hearth_version = agent_.hearth_version(),
                         .moves_prefix = way.moves_prefix};
  const auto worker = keeper_.current();
  cluster::DecodeRunParameters& parameters = parts.parameters;
  parameters.patience.chunk_compute = piece_unknown;
  parameters.prefix_s = way.prefix_s;
  if (worker) {
    parameters.chunk_tokens = worker->info.chunk_tokens;
    const double token_bytes = kv_bytes_per_token(worker->info);
    // Room for those that arrive while one is imported and our worker computes something else.
    parameters.limits.chunk_bytes = chunk_bytes_max(worker->info);
    parameters.limits.staging_bytes_max =
        std::max(parameters.limits.staging_bytes_max, staged_chunks * parameters.limits.chunk_bytes);
    const std::string& model = worker->info.model_name;
    const std::lock_guard hold(mutex_);
    const auto remote = rates_.prefill({peer.name, model}, now());
    const auto here = rates_.prefill({options_.machine, model}, now(), way.beside);
    if (here) {
      if (const auto piece = here->seconds(parameters.chunk_tokens, way.from)) {
        parameters.worker_piece = to_duration(piece->value);
      }
    }
    if (way.request) {  // a trial is finished, however slow
      parameters.remote = remote;
      parameters.local_queue_s = way.local_queue_s;
      // To see whether going on here would be faster: not asked where the way is ordered.
      if (policy_ != cluster::PrefillPolicy::remote) {
        parameters.local = here;
      }
    }
    if (remote) {
      if (const auto piece = remote->seconds(parameters.chunk_tokens, way.from)) {
        parameters.patience.chunk_compute = to_duration(piece->value);
      }
    }
    if (const auto byte_s = rates_.byte_s({peer.name, options_.machine}, now())) {
      parameters.patience.link_bytes_per_s = 1 / byte_s->value;
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
  if (way.request) {
    parts.on_over = [this, name = peer.name, id = *way.request](const cluster::DecodeRunOver& over) {
      on_over(name, id, over);
    };
  }
  return PeerPrefiller(std::move(parts));
}

void PrefillCoordinator::on_over(const std::string& peer, std::uint64_t request,
                                 const cluster::DecodeRunOver& over) {
  using Kind = cluster::DecodeRunOver::Kind;
  const std::lock_guard hold(mutex_);
  if (over.kind == Kind::busy) {
    if (const auto found = running_.find(request); found != running_.end()) {
      found->second.as_chosen = false;
      found->second.outcome = "finished locally: " + over.reason;
    }
  } else if (over.kind != Kind::complete && over.kind != Kind::cancelled) {
    finish_here(peer, request, over.reason, over.committed_tokens);
  }
  if (over.peer_lied) table_.on_distrusted(peer, over.reason);
  if (over.kind == Kind::busy) {
    table_.on_busy(peer, over.busy_for > Duration::zero() ? over.busy_for : busy_unknown, now());
  }
}

// With the lock.
void PrefillCoordinator::finish_here(const std::string& peer, std::uint64_t request, const std::string& reason,
                                     std::uint32_t committed_tokens) {
  const auto found = running_.find(request);
  if (found == running_.end()) return;
  found->second.as_chosen = false;
  found->second.outcome = "finished locally: " + reason;
  holdings_.forget(peer);  // it may have begun with less than was thought
  note_rest(request, found->second, committed_tokens);
}

// With the lock. This machine computes it from there on.
void PrefillCoordinator::note_rest(std::uint64_t request, const Running& running, std::uint32_t committed_tokens) {
  const auto own = own_model();
  const auto curve = own ? rates_.prefill({options_.machine, own->model}, now()) : std::nullopt;
  const std::uint32_t rest = running.prompt_tokens - std::min(committed_tokens, running.prompt_tokens);
  const auto rest_s = curve ? curve->seconds(rest, committed_tokens) : std::nullopt;
  own_queue_.begin(request, rest_s ? rest_s->value : 0, now());
}

Result<std::unique_ptr<ChunkSource>> PrefillCoordinator::open(const PrefillOrder& order,
                                                              const StopToken& stop) {
  // Peers are paired by what the bare model computes.
  const auto own = own_model();
  if (!own || model::layout_digest(own->layout) != order.layout) return nullptr;
  std::set<std::string> tried;
  while (true) {
    std::optional<Peer> peer;
    double pool_work_s = 0;
    Way way{.from = order.from(), .beside = beside(order.answers_beside), .request = order.request};
    {
      const std::lock_guard hold(mutex_);
      if (tried.empty()) forget(order.request, "the worker died; the request began again");
      const cluster::PrefillSituation asked = situation(order, tried);
      if (asked.decode.empty()) return nullptr;
      const cluster::Choice choice = cluster::choose(asked, rates_);
      const cluster::PrefillOption* chosen = choice.find_chosen();
      if (tried.empty()) {
        running_[order.request] = {.decision = log_.add(fmt::format("{}", order.request), choice),
                                   .outcome = "as chosen"};
        Running& running = running_[order.request];
        running.prompt_tokens = asked.prompt_tokens;
        running.can_be_shadowed = order.from() == 0 && order.held_tokens == 0 && order.answers_beside == 0 &&
                                  asked.decode[0].prompts_left_s.empty();
        for (const cluster::PrefillOption& option : choice.options) {
          running.prefills.push_back(option.is_alone() ? "" : option.prefill);
        }
        log_info(fmt::format("request {}: {}", order.request, choice.sentence));
      }
      const cluster::PrefillOption& alone = choice.options.front();  // of the one that can decode
      if (chosen == nullptr || chosen->is_alone() || tried.size() == peers_asked_max) {
        own_queue_.begin(order.request, std::max(0.0, alone.predicted_s.value_or(0) - alone.terms.queue_s), now());
        return nullptr;
      }
      if (chosen->kind == cluster::OptionKind::gathered) {
        pool_work_s = chosen->terms.missing_prefix_s + chosen->terms.prefill_s;
      } else {
        peer = notes_.at(chosen->prefill).peer;
        if (notes_.at(chosen->prefill).foreign_layout && tried.empty()) {
          running_[order.request].outcome = "as chosen, with another quantisation of the model";
        }
        way.moves_prefix = chosen->moves_prefix;
        way.prefix_s = chosen->terms.missing_prefix_s;
        way.local_queue_s = alone.terms.queue_s;
      }
      tried.insert(chosen->prefill);
    }
    auto source = peer ? prefiller_for(*peer, way).open(order, stop) : ask_pool(order, pool_work_s, stop);
    if (source) return source;
    if (source.error().code == Code::cancelled) return source;
    const std::lock_guard hold(mutex_);
    running_[order.request].as_chosen = false;
    running_[order.request].outcome = "another way: " + source.error().message;
  }
}

// With the lock.
void PrefillCoordinator::forget(std::uint64_t request, const std::string& why) {
  (void)own_queue_.end(request, now());
  const auto found = running_.find(request);
  if (found == running_.end()) return;
  log_.on_failed(found->second.decision, why);
  running_.erase(found);
}

void PrefillCoordinator::on_left(std::uint64_t request) {
  const std::lock_guard hold(mutex_);
  forget(request, "ended before its first token");
}

void PrefillCoordinator::on_first_token(const FirstToken& first) {
  const auto worker = keeper_.current();
  const std::lock_guard hold(mutex_);
  const bool was_alone = own_queue_.end(first.request, now());
  if (worker && was_alone) {
    const cluster::MachineModel here{options_.machine, worker->info.model_name};
    if (first.last_step > Duration::zero()) {
      // Beside other prompts it waits for their slices.
      if (own_queue_.has_none()) rates_.observe_decode(here, seconds(first.last_step), now());
    } else if (first.computed_tokens > 1 && first.answers_beside) {
      rates_.observe_prefill(here, first.computed_tokens, first.depth_tokens, seconds(first.prefill), now(),
                             beside(*first.answers_beside));
    }
  }
  const auto found = running_.find(first.request);
  if (found == running_.end()) return;
  log_.on_finished(found->second.decision, seconds(first.since_request), found->second.as_chosen,
                   found->second.outcome);
  if (found->second.can_be_shadowed) last_finished_ = std::move(found->second);
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

bool PrefillCoordinator::is_trusted(const std::string& peer) const {
  const std::lock_guard hold(mutex_);
  const auto found = notes_.find(peer);
  return found != notes_.end() && found->second.parity && !table_.is_distrusted(peer);
}

bool PrefillCoordinator::wait_until_tried(Deadline deadline) const {
  std::unique_lock hold(mutex_);
  return changed_.wait_until(hold, deadline.when(), [this] {
    return were_found_ &&
           std::ranges::all_of(notes_, [](const auto& each) { return each.second.was_looked_at; });
  });
}

}  // namespace hearth::node
