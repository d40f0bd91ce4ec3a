#include "tests/sim/decode_agent.h"

#include <fmt/format.h>

#include <utility>

#include "tests/sim/coordinator.h"
#include "tests/sim/prefill_agent.h"

namespace hearth::sim {
namespace {

using Kind = cluster::DecodeRunOver::Kind;

constexpr Duration cancel_time_max = std::chrono::milliseconds(10);
constexpr std::uint64_t staged_chunks_max = 8;  // of all hand-offs

}  // namespace

DecodeAgent::DecodeAgent(World& world, Machine machine, Speeds speeds) : world_(world) {
  process.name = fmt::format("m{}", machine);
  process.machine = machine;
  worker = std::make_unique<ToyWorker>(world, process, speeds);
  worker->on_lost = [this] { on_worker_lost(); };
  worker->on_up = [this] { coordinator_->on_decode_ready(); };
}

void DecodeAgent::start() {
  process.is_up = true;
  ++process.life;
  tickets_ = std::make_unique<cluster::TicketBook>(process.life);
  staging_ = std::make_shared<kv::StagingRoom>(staged_chunks_max * toy_chunk_bytes());
  worker->on_agent_started();
}

void DecodeAgent::crash() {
  if (!process.is_up) return;
  process.is_up = false;
  works_.clear();
  hand_offs_.clear();
  tickets_.reset();
  worker->on_agent_ended();
  store.crash(world_.random(), world_.options().faults.lost_in_crash);
  coordinator_->on_agent_lost();
  world_.at(std::chrono::milliseconds(200) + world_.up_to(std::chrono::seconds(3)), [this] {
    if (!process.is_up) start();
  });
}

DecodeAgent::Work* DecodeAgent::find(WorkId id) {
  const auto found = works_.find(id);
  return found == works_.end() ? nullptr : &found->second;
}

DecodeAgent::Run* DecodeAgent::find_run(WorkId id, const cluster::HandOffId& hand_off) {
  Work* work = find(id);
  if (!work || !work->run || work->run->run.ticket().id != hand_off) return nullptr;
  return work->run.get();
}

Result<> DecodeAgent::begin(WorkId id, std::shared_ptr<const Prompt> prompt) {
  if (!is_ready()) return fail(Code::unavailable, "the decoding worker is being started again");
  if (find(id)) return {};
  const auto sequence = worker->open();
  if (!sequence) return fail(Code::unavailable, "the decoding worker has no free sequence");
  Work& work = works_[id];
  work.prompt = std::move(prompt);
  work.sequence = *sequence;
  return {};
}

void DecodeAgent::hand_off(WorkId id, PrefillAgent& peer, std::uint32_t attempt,
                           cluster::DecodeRunParameters parameters,
                           std::function<void(cluster::DecodeRunOver)> on_over) {
  Work& work = *find(id);
  if (!worker->has(work.sequence)) return on_over({Kind::worker_lost, 0, "the worker has died"});
  const Prompt& prompt = *work.prompt;
  const cluster::HandOffId hand_off{world_.random().next(), world_.random().next()};
  const Duration lease =
      cluster::lease_for(parameters.patience.chunk_compute, parameters.patience.patience_factor);
  const cluster::Ticket ticket{
      hand_off, process.name, process.life, attempt, toy_layout(), prompt.token_count() - 1, lease};
  const std::uint64_t staging = parameters.limits.staging_bytes_max;
  parameters.limits.chunk_bytes = toy_chunk_bytes();
  parameters.limits.room = staging_;
  auto run = cluster::DecodeRun::create(ticket, {toy_layout(), prompt.keys, prompt.ranges},
                                        std::move(parameters), world_.now());
  if (!run || !tickets_->issue(ticket, peer.process.name)) {
    return on_over({Kind::compute_rest, 0, "no more hand-offs at a time"});
  }
  work.run =
      std::make_unique<Run>(Run{std::move(*run), &peer, staging, {}, {}, {}, std::move(on_over)});
  hand_offs_[hand_off] = id;
  for (const kv::ChunkKey& key : prompt.keys) {
    if (!store.chunks.contains(key)) continue;
    work.run->run.on_held(key);
    if (work.run->pinned.insert(key).second) store.pin(key);
  }
  pump(id);
}

void DecodeAgent::pump(WorkId id) {
  while (true) {
    Work* work = find(id);
    if (!work || !work->run) return;
    Run& run = *work->run;
    const cluster::DecodeRunAction action = run.run.next(world_.now());
    if (const auto* question = std::get_if<cluster::AskPeer>(&action)) {
      ask(id, *question);
    } else if (const auto* chunk = std::get_if<cluster::ImportChunk>(&action)) {
      import(id, *chunk);
    } else if (std::holds_alternative<cluster::CancelPeer>(action)) {
      const cluster::Ticket& ticket = run.run.ticket();
      world_.call(
          process, run.peer->process, 200,
          [peer = run.peer, from = process.name, hand_off = ticket.id, attempt = ticket.attempt](
              const World::Delivery&) { peer->on_cancel(from, hand_off, attempt); });
      if (world_.options().checks_cancel) {
        world_.at(cancel_time_max, [this, peer = run.peer, hand_off = ticket.id] {
          if (peer->is_running(hand_off)) world_.violate("a cancelled prefill goes on");
        });
      }
    } else if (const auto* wait = std::get_if<cluster::WaitForReport>(&action)) {
      if (wait->until == Instant::max() || run.wake == wait->until) return;
      run.wake = wait->until;
      world_.at(wait->until - world_.now(), process, [this, id] { pump(id); });
      return;
    } else {
      return close_run(id, std::get<cluster::DecodeRunOver>(action));
    }
  }
}

void DecodeAgent::ask(WorkId id, const cluster::AskPeer& question) {
  const auto hand_off = question.ticket.id;
  const auto on_answer = [this, id, hand_off](const cluster::DeskAnswer& answer) {
    Run* run = find_run(id, hand_off);
    if (!run) return;
    if (const auto* accepted = std::get_if<cluster::PrefillAccepted>(&answer)) {
      run->run.on_accepted(accepted->first_piece, world_.now());
    } else if (const auto* busy = std::get_if<cluster::PrefillBusy>(&answer)) {
      run->run.on_busy(busy->retry_after);
    } else {
      run->run.on_ask_failed(std::get<cluster::PrefillRefused>(answer).error);
    }
    pump(id);
  };
  Work& work = *find(id);
  PrefillAgent* peer = work.run->peer;
  world_.call(
      process, peer->process, work.prompt->tokens.size() * sizeof(Token),
      [=, ticket = question.ticket, prompt = work.prompt,
       from = process.name](const World::Delivery& delivery) {
        const cluster::DeskAnswer answer = peer->on_ask(from, ticket, prompt);
        delivery.reply([=] { on_answer(answer); });
      },
      [this, id, hand_off] {
        Run* run = find_run(id, hand_off);
        if (!run) return;
        run->run.on_ask_failed({Code::unavailable, "connection refused"});
        pump(id);
      });
}

void DecodeAgent::import(WorkId id, const cluster::ImportChunk& import) {
  Work& work = *find(id);
  const auto hand_off = work.run->run.ticket().id;
  kv::SharedChunk chunk = import.chunk ? import.chunk : store.find(import.key);
  if (!chunk) return work.run->run.on_held_lost(import.index, import.key);
  const auto imported = [this, id, hand_off, index = import.index,
                         key = import.key](bool is_taken) {
    if (!is_taken) store.chunks.erase(key);
    Run* run = find_run(id, hand_off);
    if (!run) return;
    if (is_taken) {
      run->run.on_imported(index, world_.now());
    } else {
      run->run.on_import_refused(index, {Code::corrupt, "not the KV of this model"});
    }
    pump(id);
  };
  if (worker->chunk_count(work.sequence) > import.index) {
    // In the sequence already, from an earlier hand-off of the same work.
    return world_.at(Duration::zero(), process, [imported] { imported(true); });
  }
  if (world_.is_sabotaged(Sabotage::import_twice) && import.index == 1) {
    worker->import(work.sequence, *work.prompt, *chunk, [](bool) {});
  }
  worker->import(work.sequence, *work.prompt, *chunk, imported);
}

void DecodeAgent::close_run(WorkId id, const cluster::DecodeRunOver& over) {
  Work& work = *find(id);
  Run& run = *work.run;
  for (const std::uint64_t body : run.open_bodies) {
    if (!world_.is_sabotaged(Sabotage::forget_body_cut)) run.run.on_body_cut({body});
  }
  if (run.run.statistics().staged_bytes != 0) {
    world_.violate("staging bytes are left when a hand-off is over");
  }
  for (const kv::ChunkKey& key : run.pinned) {
    if (!world_.is_sabotaged(Sabotage::forget_pin)) store.unpin(key);
  }
  tickets_->spend(run.run.ticket().id);
  hand_offs_.erase(run.run.ticket().id);
  const auto on_over = std::move(run.on_over);
  const bool is_aborted = work.is_aborted;
  work.run.reset();
  if (is_aborted) return close(id);
  on_over(over);
}

void DecodeAgent::generate(WorkId id, Generation generation) {
  Work& work = *find(id);
  if (!worker->has(work.sequence))
    return generation.lost({Code::unavailable, "the worker has died"});
  work.generation = std::move(generation);
  import_stored(id);
}

// What the store has beyond what the sequence holds, then the rest by computing.
void DecodeAgent::import_stored(WorkId id) {
  Work* work = find(id);
  if (!work || !work->generation) return;
  const std::size_t count = worker->chunk_count(work->sequence);
  const kv::SharedChunk chunk =
      count < work->prompt->keys.size() ? store.find(work->prompt->keys[count]) : nullptr;
  if (chunk) {
    return worker->import(work->sequence, *work->prompt, *chunk,
                          [this, id, key = chunk->header.key](bool is_taken) {
                            if (!is_taken) store.chunks.erase(key);
                            import_stored(id);
                          });
  }
  const auto if_there = [this, id](auto report) {
    Work* its = find(id);
    if (its && its->generation) report(*its->generation);
  };
  worker->generate(
      work->sequence, work->prompt,
      [=](std::uint32_t fresh, std::uint32_t depth, double seconds) {
        if_there([&](const Generation& g) { g.computed(fresh, depth, seconds); });
      },
      [=](std::uint32_t index, Token token) {
        if_there([&](const Generation& g) { g.token(index, token); });
      },
      [=, this] {
        Work* its = find(id);
        if (!its || !its->generation) return;
        for (std::uint32_t i = 0; i < its->prompt->keys.size(); ++i) {
          store.chunks.emplace(its->prompt->keys[i], make_toy_chunk(*its->prompt, i));
        }
        if_there([](const Generation& g) { g.done(); });
      });
}

void DecodeAgent::abort(WorkId id) {
  Work* work = find(id);
  if (!work) return;
  work->generation.reset();
  if (!work->run) return close(id);
  work->is_aborted = true;
  work->run->run.cancel();
  pump(id);
}

void DecodeAgent::close(WorkId id) {
  if (!world_.is_sabotaged(Sabotage::forget_lease)) worker->close(find(id)->sequence);
  works_.erase(id);
}

void DecodeAgent::on_coordinator_lost() {
  std::vector<WorkId> ids;
  for (const auto& [id, work] : works_) ids.push_back(id);
  for (const WorkId id : ids) abort(id);
}

void DecodeAgent::on_worker_lost() {
  std::vector<WorkId> ids;
  for (const auto& [id, work] : works_) ids.push_back(id);
  const Error lost{Code::unavailable, "the decoding worker has died"};
  for (const WorkId id : ids) {
    Work* work = find(id);
    if (!work) continue;
    if (work->run) {
      work->run->run.on_worker_lost(lost);
      pump(id);
    } else if (work->generation) {
      const auto report = work->generation->lost;
      work->generation.reset();
      report(lost);
    }
  }
}

void DecodeAgent::check() const {
  std::uint64_t staged_bytes = 0;
  for (const auto& [id, work] : works_) {
    if (!work.run) continue;
    const std::uint64_t its_bytes = work.run->run.statistics().staged_bytes;
    if (its_bytes > work.run->staging_bytes_max) world_.violate("staging beyond its bound");
    staged_bytes += its_bytes;
  }
  if (staging_ == nullptr) return;
  if (staging_->held_bytes() != staged_bytes) world_.violate("the machine's staging is not that of its hand-offs");
  if (staging_->held_bytes() + staging_->promised_bytes() > staging_->bytes_max()) {
    world_.violate("the machine's staging is beyond its bound");
  }
}

void DecodeAgent::check_end() const {
  if (!is_ready()) return world_.violate("the decode machine is down at the end");
  if (!works_.empty()) world_.violate("the decode agent still holds work");
  if (tickets_->open_count() != 0) world_.violate("a ticket is still open");
  if (staging_->held_bytes() + staging_->promised_bytes() != 0) world_.violate("staging memory is still held");
  if (worker->open_count() != 0) world_.violate("a sequence of the decoding worker is still held");
  if (!store.pins.empty()) world_.violate("the decode agent still pins chunks");
}

}  // namespace hearth::sim
