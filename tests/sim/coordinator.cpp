#include "tests/sim/coordinator.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hearth/base/check.h"
#include "tests/sim/prefill_agent.h"

namespace hearth::sim {
namespace {

using Kind = cluster::DecodeRunOver::Kind;

}  // namespace

Coordinator::Coordinator(World& world, DecodeAgent& decode, std::vector<PrefillAgent*> peers)
    : world_(world), decode_(decode), peers_(std::move(peers)) {
  process.name = decode.process.name;
  process.machine = decode.process.machine;
}

model::LayoutIdentity Coordinator::layout(bool is_other) {
  model::LayoutIdentity out;
  out.architecture = "toy";
  if (is_other) out.k_type = model::KvType::q8_0;
  return out;
}

void Coordinator::start() {
  process.is_up = true;
  ++process.life;
  peer_table_ = std::make_unique<cluster::PeerTable>();
  decisions_ = std::make_unique<cluster::DecisionLog>(world_.random().next());
  held_.clear();
  rates_ = {};
  if (saved_rates_.empty()) return;
  auto read = cluster::RateBook::from_json(parse_json(saved_rates_).value(), world_.now());
  if (!read) return world_.violate("rates cannot be read back: " + read.error().message);
  rates_ = std::move(*read);
}

void Coordinator::crash() {
  if (!process.is_up) return;
  process.is_up = false;
  const auto summary = decisions_->summary();
  statistics_.decisions += summary.decisions;
  statistics_.within_10_percent += summary.right;
  auto lost = std::exchange(requests_, {});
  decode_.on_coordinator_lost();
  for (auto& [id, request] : lost) request.client.disconnected();
  world_.at(std::chrono::milliseconds(100) + world_.up_to(std::chrono::seconds(2)), [this] {
    if (!process.is_up) start();
  });
}

Coordinator::Request* Coordinator::find(RequestId id) {
  const auto found = requests_.find(id);
  return found == requests_.end() ? nullptr : &found->second;
}

PrefillAgent* Coordinator::find_peer(const std::string& name) const {
  for (PrefillAgent* peer : peers_) {
    if (peer->process.name == name) return peer;
  }
  return nullptr;
}

std::size_t Coordinator::active_count() const {
  return static_cast<std::size_t>(std::count_if(requests_.begin(), requests_.end(),
                                                [](const auto& r) { return r.second.is_active; }));
}

std::optional<Coordinator::RequestId> Coordinator::submit(std::shared_ptr<const Prompt> prompt,
                                                          Duration within, ClientSide client) {
  if (!process.is_up) return {};
  const RequestId id = ++last_request_;
  const Instant deadline = world_.now() + within;
  requests_.emplace(id, Request{RequestRun({}, deadline),
                                deadline,
                                std::move(prompt),
                                std::move(client),
                                0,
                                false,
                                {},
                                {},
                                true,
                                {}});
  world_.at(within, process, [this, id] { pump(id); });
  world_.at(Duration::zero(), process, [this, id] { pump(id); });
  return id;
}

void Coordinator::leave(RequestId id) {
  Request* request = find(id);
  if (!process.is_up || !request) return;
  request->run.cancel();
  request->is_active = true;  // even if it waited: it ends now
  pump(id);
}

void Coordinator::on_announced(cluster::PeerAnnouncement announcement) {
  const std::string machine = announcement.machine;
  const auto heard = peer_table_->on_announced(std::move(announcement), world_.now());
  if (heard == cluster::PeerTable::Heard::restarted) held_.erase(machine);
}

void Coordinator::on_agent_lost() {
  if (!process.is_up) return;
  std::vector<RequestId> ids;
  for (const auto& [id, request] : requests_) {
    if (request.work != 0) ids.push_back(id);
  }
  for (const RequestId id : ids) decode_lost(id, {Code::unavailable, "the decode agent has died"});
}

void Coordinator::pump_all() {
  std::vector<RequestId> ids;
  for (const auto& [id, request] : requests_) ids.push_back(id);
  for (const RequestId id : ids) pump(id);
}

void Coordinator::pump(RequestId id) {
  while (Request* request = find(id)) {
    const bool has_room = active_count() < decode_.worker->speeds.sequences_max;
    if (has_room || world_.now() >= request->deadline) request->is_active = true;
    const RequestAction action = request->is_active || request->run.is_over()
                                     ? request->run.next(world_.now())
                                     : RequestAction(WaitRequest{});
    if (std::holds_alternative<ChooseWay>(action)) {
      choose(id);
    } else if (const auto* start = std::get_if<StartHandOff>(&action)) {
      hand_off(id, *start);
    } else if (std::holds_alternative<GenerateAnswer>(action)) {
      generate(id);
    } else if (std::holds_alternative<AbortWork>(action)) {
      drop_work(*request);
    } else if (const auto* wait = std::get_if<WaitRequest>(&action)) {
      if (!request->is_active || request->wake == wait->until) return;
      request->wake = wait->until;
      world_.at(wait->until - world_.now(), process, [this, id] { pump(id); });
      return;
    } else {
      return finish(id, std::get<RequestOver>(action).error);
    }
  }
}

void Coordinator::hand_off(RequestId id, const StartHandOff& start) {
  Request& request = *find(id);
  const auto on_over = [this, id, peer = start.peer,
                        work = request.work](const cluster::DecodeRunOver& over) {
    world_.at(std::chrono::microseconds(50), process, [this, id, peer, work, over] {
      Request* its = find(id);
      if (its && its->work == work) on_hand_off_over(id, peer, over);
    });
  };
  decode_.hand_off(request.work, *find_peer(start.peer), start.attempt,
                   parameters(*request.prompt, start.peer), on_over);
}

void Coordinator::on_hand_off_over(RequestId id, const std::string& peer,
                                   const cluster::DecodeRunOver& over) {
  Request& request = *find(id);
  statistics_.completed_hand_offs += over.kind == Kind::complete;
  statistics_.fallbacks += over.kind == Kind::compute_rest;
  statistics_.busy += over.kind == Kind::busy;
  if (over.kind != Kind::complete) request.as_chosen = false;
  if (over.kind == Kind::busy) peer_table_->on_busy(peer, over.busy_for, world_.now());
  if (over.peer_lied) peer_table_->on_distrusted(peer, over.reason);
  if (over.kind == Kind::complete) {
    held_[peer].insert(request.prompt->keys.begin(), request.prompt->keys.end());
  }
  if (over.kind == Kind::worker_lost) return decode_lost(id, {Code::unavailable, over.reason});
  request.run.on_hand_off_over(over, world_.now());
  pump(id);
}

void Coordinator::generate(RequestId id) {
  const DecodeAgent::WorkId work = find(id)->work;
  // The way from the agent: nothing arrives after the work was dropped.
  const auto from_agent = [this, id, work](std::function<void(Request&)> report) {
    world_.at(std::chrono::microseconds(50), process, [this, id, work, report] {
      Request* its = find(id);
      if (its && its->work == work) report(*its);
    });
  };
  const cluster::MachineModel on{decode_.process.name, toy_model_name};
  decode_.generate(work, {.computed =
                              [=, this](std::uint32_t fresh, std::uint32_t depth, double seconds) {
                                from_agent([=, this](Request&) {
                                  rates_.observe_prefill(on, fresh, depth, seconds, world_.now());
                                  saved_rates_ = dump_json(rates_.to_json(world_.now()));
                                });
                              },
                          .token =
                              [=, this](std::uint32_t index, Token token) {
                                from_agent([=, this](Request&) { on_token(id, index, token); });
                              },
                          .done =
                              [=, this] {
                                from_agent([=, this](Request& request) {
                                  request.run.on_generated();
                                  pump(id);
                                });
                              },
                          .lost =
                              [=, this](Error error) {
                                from_agent([=, this](Request&) { decode_lost(id, error); });
                              }});
}

void Coordinator::on_token(RequestId id, std::uint32_t index, Token token) {
  Request& request = *find(id);
  const TokenVerdict verdict = request.run.on_token(index, token);
  if (verdict == TokenVerdict::emit) {
    if (index == 0) statistics_.first_token_s = seconds(world_.now() - request.decided);
    if (index == 0 && request.decision) {
      decisions_->on_finished(*request.decision, seconds(world_.now() - request.decided),
                              request.as_chosen, request.as_chosen ? "as chosen" : "another way");
    }
    request.client.token(token);
    if (world_.is_sabotaged(Sabotage::repeat_token) && index == 1) request.client.token(token);
  } else if (verdict == TokenVerdict::refused) {
    pump(id);
  }
}

void Coordinator::decode_lost(RequestId id, Error error) {
  Request& request = *find(id);
  drop_work(request);
  request.as_chosen = false;
  request.run.on_decode_lost(std::move(error), world_.now());
  pump(id);
}

void Coordinator::drop_work(Request& request) {
  const DecodeAgent::WorkId work = std::exchange(request.work, 0);
  if (work != 0 && decode_.process.is_up) decode_.abort(work);
}

void Coordinator::finish(RequestId id, const std::optional<Error>& error) {
  Request& request = *find(id);
  drop_work(request);
  if (error && request.decision) decisions_->on_failed(*request.decision, error->message);
  const ClientSide client = std::move(request.client);
  requests_.erase(id);
  client.ended(error);
  pump_all();
}

Coordinator::Statistics Coordinator::statistics() const {
  Statistics out = statistics_;
  out.decisions += decisions_->summary().decisions;
  out.within_10_percent += decisions_->summary().right;
  return out;
}

void Coordinator::check_end() const {
  if (!process.is_up) world_.violate("the coordinator is down at the end");
  if (!requests_.empty()) world_.violate("the coordinator still holds a request");
}

}  // namespace hearth::sim
