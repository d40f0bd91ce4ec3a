#include "tests/sim/prefill_agent.h"

#include <fmt/format.h>

#include <utility>

#include "tests/sim/coordinator.h"
#include "tests/sim/decode_agent.h"

namespace hearth::sim {
namespace {

constexpr Duration announce_interval = std::chrono::seconds(3);

kv::SyncParameters patience_of(const Speeds& speeds) {
  kv::SyncParameters out;
  out.link_bytes_per_s = 20e6;
  out.chunk_compute = std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(speeds.prefill_s(toy_chunk_tokens, 200)));
  return out;
}

}  // namespace

PrefillAgent::PrefillAgent(World& world, Machine machine, Speeds speeds, bool is_liar,
                           bool other_layout)
    : layout(Coordinator::layout(other_layout)), world_(world), is_liar_(is_liar) {
  process.name = fmt::format("m{}", machine);
  process.machine = machine;
  worker = std::make_unique<ToyWorker>(world, process, speeds);
  worker->on_up = [this] { desk_->set_layouts({toy_layout()}); };
  worker->on_lost = [this] {
    desk_->set_layouts({});
    std::vector<Id> ids;
    for (auto& [id, run] : runs_) {
      run.run.on_prefill_failed({Code::unavailable, "the prefill worker has died"});
      run.is_computing = false;
      ids.push_back(id);
    }
    for (const Id& id : ids) pump(id);
  };
}

void PrefillAgent::connect(DecodeAgent& decode, Coordinator& coordinator) {
  decode_ = &decode;
  coordinator_ = &coordinator;
}

void PrefillAgent::start() {
  process.is_up = true;
  ++process.life;
  desk_ = std::make_unique<cluster::PrefillDesk>(
      cluster::DeskParameters{process.name, process.life, 1, std::chrono::seconds(1)});
  worker->on_agent_started();
  announce();
}

void PrefillAgent::crash() {
  if (!process.is_up) return;
  process.is_up = false;
  runs_.clear();
  desk_.reset();
  worker->on_agent_ended();
  store.crash(world_.random(), world_.options().faults.lost_in_crash);
  world_.at(std::chrono::milliseconds(200) + world_.up_to(std::chrono::seconds(5)), [this] {
    if (!process.is_up) start();
  });
}

void PrefillAgent::announce() {
  world_.call(process, coordinator_->process, small_message_bytes,
              [this, life = process.life](const World::Delivery&) {
                coordinator_->on_announced({process.name, life, {{toy_model_name, layout}}});
              });
  if (!coordinator_->is_closing()) {
    world_.at(announce_interval, process, [this] { announce(); });
  }
}

cluster::DeskAnswer PrefillAgent::on_ask(const std::string& from, const cluster::Ticket& ticket,
                                         const std::shared_ptr<const Prompt>& prompt) {
  const kv::SyncParameters patience = patience_of(worker->speeds);
  const cluster::DeskAnswer answer = desk_->on_ask(
      from, ticket, patience.chunk_compute,
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(worker->queue_s())));
  const auto* accepted = std::get_if<cluster::PrefillAccepted>(&answer);
  if (!accepted || accepted->is_repeat) return answer;
  if (const auto replaced = runs_.find(ticket.id); replaced != runs_.end()) {
    unpin(replaced->second);
    runs_.erase(replaced);
  }
  Run& run = runs_
                 .emplace(ticket.id, Run{cluster::PrefillRun(ticket, prompt->keys, patience,
                                                             world_.random().next(), world_.now()),
                                         prompt,
                                         {},
                                         false,
                                         {}})
                 .first->second;
  for (std::uint32_t i = 0; i < store.prefix(*prompt); ++i) offer(run, i);
  compute(ticket.id);
  pump(ticket.id);
  return answer;
}

void PrefillAgent::offer(Run& run, std::uint32_t index) {
  const kv::ChunkKey& key = run.prompt->keys[index];
  if (run.pinned.insert(key).second) store.pin(key);
  run.run.on_computed(run.prompt->ranges[index].end, world_.now());
  run.run.on_available(
      index, static_cast<std::uint64_t>(run.prompt->ranges[index].count() * toy_kv_bytes_per_token),
      world_.now());
}

PrefillAgent::Run* PrefillAgent::find(const Id& id, std::uint32_t attempt) {
  const auto found = runs_.find(id);
  if (found == runs_.end() || found->second.run.ticket().attempt != attempt) return nullptr;
  return &found->second;
}

void PrefillAgent::compute(const Id& id) {
  const auto found = runs_.find(id);
  if (found == runs_.end() || found->second.is_computing || found->second.run.is_over()) return;
  Run& run = found->second;
  const auto index = static_cast<std::uint32_t>(store.prefix(*run.prompt));
  if (index == run.prompt->keys.size()) return;
  if (!worker->process.is_up) {
    return run.run.on_prefill_failed({Code::unavailable, "the prefill worker is not there"});
  }
  run.is_computing = true;
  const TokenRange range = run.prompt->ranges[index];
  worker->work(worker->speeds.prefill_s(range.count(), range.begin),
               [this, id, index, attempt = run.run.ticket().attempt, prompt = run.prompt] {
                 if (!process.is_up) return;
                 store.chunks.emplace(prompt->keys[index], make_toy_chunk(*prompt, index));
                 Run* its = find(id, attempt);
                 if (!its) return;
                 its->is_computing = false;
                 offer(*its, index);
                 compute(id);
                 pump(id);
               });
}

void PrefillAgent::pump(const Id& id) {
  while (true) {
    const auto found = runs_.find(id);
    if (found == runs_.end()) return;
    Run& run = found->second;
    const cluster::PrefillRunAction action = run.run.next(world_.now());
    if (const auto* query = std::get_if<kv::QueryMissing>(&action)) {
      send_query(run, *query);
    } else if (const auto* put = std::get_if<kv::PutChunk>(&action)) {
      send_put(id, *put);
    } else if (const auto* progress = std::get_if<cluster::SendProgress>(&action)) {
      send_progress(run, progress->done_tokens);
    } else if (const auto* closing = std::get_if<cluster::SendClosing>(&action)) {
      send_closing(run, closing->manifest);
    } else if (const auto* wait = std::get_if<cluster::WaitForReport>(&action)) {
      if (run.wake == wait->until) return;
      run.wake = wait->until;
      world_.at(wait->until - world_.now(), process, [this, id] { pump(id); });
      return;
    } else {
      return close(id, std::get<cluster::PrefillRunOver>(action));
    }
  }
}

cluster::TicketUse PrefillAgent::use_of(const Run& run) const {
  const cluster::Ticket& ticket = run.run.ticket();
  return {ticket.id, ticket.issuer_incarnation, ticket.attempt, process.life};
}

PrefillAgent::HandOff PrefillAgent::hand_off_of(const Run& run) {
  return {run.run.ticket().id, run.run.ticket().attempt};
}

Thunk PrefillAgent::for_run(HandOff which, std::function<void(Run&)> report) {
  return [this, which, report = std::move(report)] {
    Run* its = find(which.id, which.attempt);
    if (!its || its->run.is_over()) return;
    report(*its);
    compute(which.id);
    pump(which.id);
  };
}

void PrefillAgent::on_cancel(const std::string& from, const cluster::HandOffId& id,
                             std::uint32_t attempt) {
  Run* run = find(id, attempt);
  if (!run || !desk_->is_running(from, id, attempt)) return;
  run->run.on_peer_over();
  pump(id);
}

void PrefillAgent::unpin(const Run& run) {
  for (const kv::ChunkKey& key : run.pinned) store.unpin(key);
}

void PrefillAgent::close(const Id& id, const cluster::PrefillRunOver& over) {
  const auto found = runs_.find(id);
  Run& run = found->second;
  unpin(run);
  const auto use = use_of(run);
  if (over.tell_peer && over.error) {
    world_.call(process, decode_->process, small_message_bytes,
                [this, use, why = over.error->message](const World::Delivery&) {
                  decode_->on_peer_failed(process.name, use, why);
                });
  }
  if (!world_.is_sabotaged(Sabotage::never_free_desk)) {
    desk_->on_run_over(id, run.run.ticket().attempt);
  }
  runs_.erase(found);
}

void PrefillAgent::check() const {
  if (process.is_up && runs_.size() > 1) world_.violate(process.name + " runs more than it may");
}

void PrefillAgent::check_end() const {
  if (!process.is_up) return world_.violate(process.name + " is down at the end");
  if (!runs_.empty()) world_.violate(process.name + " still holds a run");
  if (desk_->running_count() != 0) world_.violate(process.name + " never freed its desk");
  if (!store.pins.empty()) world_.violate(process.name + " still pins chunks");
}

}  // namespace hearth::sim
