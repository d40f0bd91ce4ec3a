#include "tests/sim/cluster_simulation.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace hearth::sim {
namespace {

constexpr Duration faults_after_arrivals = std::chrono::seconds(10);
constexpr Duration request_time_max = std::chrono::seconds(120);
constexpr Duration resubmit_pause = std::chrono::milliseconds(300);
constexpr std::uint32_t prefix_chunks_max = 8;

std::vector<Token> random_tokens(Random& random, std::size_t count) {
  std::vector<Token> out(count);
  for (Token& token : out) token = static_cast<Token>(random.below(160'000));
  return out;
}

Speeds random_speeds(Random& random, double token_s) {
  Speeds out;
  out.token_s = token_s;
  out.depth_token_s = token_s * 0.01 * random.uniform();
  out.import_s = 0.001 + 0.02 * random.uniform();
  out.decode_s = 0.01 + 0.04 * random.uniform();
  out.sequences_max = static_cast<std::uint32_t>(1 + random.below(3));
  return out;
}

}  // namespace

// A person's tool: sends a prompt, reads tokens, sends again when the server went away.
class ClusterSimulation::Client {
 public:
  enum class End : std::uint8_t { open, answered, failed, left };

  Client(ClusterSimulation& simulation, std::vector<Token> prompt)
      : simulation_(simulation),
        world_(simulation.world_),
        prompt_(std::make_shared<const Prompt>(Prompt::of(std::move(prompt)))),
        expected_(toy_answer(*prompt_, {})) {}

  void arrive() {
    deadline_ = world_.now() + request_time_max;
    submit();
  }
  void leave() {
    if (end_ != End::open) return;
    finish(End::left);
    if (request_) simulation_.coordinator_->leave(*request_);
  }
  End end() const { return end_; }

 private:
  void submit() {
    if (end_ != End::open) return;
    if (world_.now() >= deadline_) return finish(End::failed);
    tokens_.clear();
    request_ = simulation_.coordinator_->submit(
        prompt_, deadline_ - world_.now(),
        {.token = [this](Token token) { on_token(token); },
         .ended = [this](const std::optional<Error>& error) { on_ended(error); },
         .disconnected =
             [this] {
               request_.reset();
               world_.at(resubmit_pause, [this] { submit(); });
             }});
    if (!request_) world_.at(resubmit_pause, [this] { submit(); });
  }
  void on_token(Token token) {
    if (end_ == End::left) return;
    tokens_.push_back(token);
    if (tokens_.size() > expected_.size() || token != expected_[tokens_.size() - 1]) {
      world_.violate(fmt::format("token {} of an answer is not the right one", tokens_.size() - 1));
    }
  }
  void on_ended(const std::optional<Error>& error) {
    if (end_ == End::left) return;
    if (end_ != End::open) return world_.violate("a request ended twice");
    if (world_.now() > deadline_) world_.violate("a request ended after its deadline");
    if (!error && tokens_ != expected_) world_.violate("an answer is not whole");
    if (error && error->message.empty()) world_.violate("an error says nothing");
    if (error) simulation_.last_error_ = error->message;
    finish(error ? End::failed : End::answered);
  }
  void finish(End end) {
    end_ = end;
    // Long enough for every lease to end by itself; then heartbeats stop and the queue runs dry.
    if (--simulation_.open_clients_ == 0) {
      world_.at(std::chrono::seconds(60), [this] { simulation_.coordinator_->close(); });
    }
  }

  ClusterSimulation& simulation_;
  World& world_;
  std::shared_ptr<const Prompt> prompt_;
  std::vector<Token> expected_, tokens_;
  std::optional<Coordinator::RequestId> request_;
  Instant deadline_{};
  End end_ = End::open;
};

ClusterSimulation::ClusterSimulation(const SimulationOptions& options) : world_(options) {
  build();
  add_clients();
  schedule_faults();
}

ClusterSimulation::~ClusterSimulation() = default;

void ClusterSimulation::build() {
  Random& random = world_.random();
  const SimulationOptions& options = world_.options();
  const double token_s = 0.005 + 0.03 * random.uniform();
  decode_ = std::make_unique<DecodeAgent>(world_, 0, random_speeds(random, token_s));
  const Machine liar = options.faults.has_liar ? 1 : options.machines;
  for (Machine m = 1; m < options.machines; ++m) {
    // From six times faster to three times slower than the machine that decodes.
    const Speeds speeds =
        random_speeds(random, token_s * (0.15 + 2.85 * random.uniform() * random.uniform()));
    const bool other_layout = random.chance(0.1) && m != liar && !options.all_usable;
    peers_.push_back(std::make_unique<PrefillAgent>(world_, m, speeds, m == liar, other_layout));
    world_.link(0, m).bytes_per_s = world_.link(m, 0).bytes_per_s = 2e6 + 150e6 * random.uniform();
  }
  std::vector<PrefillAgent*> peers;
  for (const auto& peer : peers_) peers.push_back(peer.get());
  coordinator_ = std::make_unique<Coordinator>(world_, *decode_, peers);
  decode_->connect(*coordinator_);
  coordinator_->start();
  decode_->start();
  for (const auto& peer : peers_) {
    peer->connect(*decode_, *coordinator_);
    peer->start();
  }
  coordinator_->probe(random.chance(0.7) || options.all_usable);
}

void ClusterSimulation::add_clients() {
  Random& random = world_.random();
  std::vector<std::vector<Token>> prefixes;
  for (int i = 0; i < 2; ++i) {
    prefixes.push_back(
        random_tokens(random, toy_chunk_tokens * random.below(prefix_chunks_max + 1)));
  }
  open_clients_ = world_.options().requests;
  for (std::uint32_t i = 0; i < open_clients_; ++i) {
    std::vector<Token> prompt = prefixes[random.below(prefixes.size())];
    const auto fresh = random_tokens(random, 2 + random.below(6 * toy_chunk_tokens));
    prompt.insert(prompt.end(), fresh.begin(), fresh.end());
    clients_.push_back(std::make_unique<Client>(*this, std::move(prompt)));
    Client& client = *clients_.back();
    const Duration arrival = std::chrono::seconds(1) + world_.up_to(world_.options().arrivals_within);
    world_.at(arrival, [&client] { client.arrive(); });
    if (random.chance(world_.options().faults.leaving_clients)) {
      world_.at(arrival + world_.up_to(std::chrono::seconds(8)), [&client] { client.leave(); });
    }
  }
}

void ClusterSimulation::at_some_moment(int times, const Thunk& what) {
  const Duration within = world_.options().arrivals_within + faults_after_arrivals;
  for (int i = 0; i < times; ++i) world_.at(world_.up_to(within), what);
}

void ClusterSimulation::schedule_faults() {
  const Faults& faults = world_.options().faults;
  const auto any_peer = [this]() -> PrefillAgent& {
    return *peers_[world_.random().below(peers_.size())];
  };
  at_some_moment(faults.decode_agent_crashes, [this] { decode_->crash(); });
  at_some_moment(faults.decode_worker_crashes, [this] { decode_->worker->crash(); });
  at_some_moment(faults.coordinator_crashes, [this] { coordinator_->crash(); });
  at_some_moment(faults.prefill_agent_crashes, [any_peer] { any_peer().crash(); });
  at_some_moment(faults.prefill_worker_crashes, [any_peer] { any_peer().worker->crash(); });
  at_some_moment(faults.evictions, [this, any_peer] {
    Random& random = world_.random();
    ToyStore& store = random.chance(0.5) ? decode_->store : any_peer().store;
    store.evict(random, /*even_pinned=*/random.chance(0.3));
  });
  at_some_moment(faults.cuts, [this, any_peer] {
    const Machine peer = any_peer().process.machine;
    const Instant until = world_.now() + world_.up_to(std::chrono::seconds(20));
    const std::uint64_t kind = world_.random().below(3);  // both ways, or half-open
    if (kind != 1) world_.link(0, peer).cut_until = until;
    if (kind != 2) world_.link(peer, 0).cut_until = until;
  });
  at_some_moment(faults.sleeps, [this, any_peer] {
    world_.sleep(any_peer().process.machine, world_.up_to(std::chrono::seconds(40)));
  });
  at_some_moment(faults.slow_links, [this, any_peer] {
    const Machine peer = any_peer().process.machine;
    const Instant until = world_.now() + world_.up_to(std::chrono::seconds(30));
    world_.link(0, peer).slow_until = world_.link(peer, 0).slow_until = until;
  });
}

void ClusterSimulation::check() {
  decode_->check();
  for (const auto& peer : peers_) peer->check();
}

void ClusterSimulation::check_end() {
  for (const auto& client : clients_) {
    if (client->end() == Client::End::open) world_.violate("a request never ended");
  }
  coordinator_->check_end();
  decode_->check_end();
  for (const auto& peer : peers_) peer->check_end();
}

SimulationReport ClusterSimulation::run() {
  world_.run([this] { check(); });
  if (world_.violation().empty()) check_end();
  SimulationReport out;
  out.violation = world_.violation();
  for (const auto& client : clients_) {
    out.answered += client->end() == Client::End::answered;
    out.failed += client->end() == Client::End::failed;
    out.left += client->end() == Client::End::left;
  }
  out.last_error = last_error_;
  out.refused_tickets = decode_->refused_tickets;
  out.refused_chunks = decode_->refused_chunks;
  out.worker_restarts = decode_->worker->supervisor().restarts();
  out.events = world_.event_count();
  out.coordinator = coordinator_->statistics();
  return out;
}

}  // namespace hearth::sim
