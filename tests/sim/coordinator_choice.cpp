// What the coordinator knows when it chooses.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/sim/coordinator.h"
#include "tests/sim/prefill_agent.h"

namespace hearth::sim {
namespace {

Duration to_duration(double s) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
}

}  // namespace

void Coordinator::probe(bool everything) {
  Random& random = world_.random();
  const Instant now = world_.now();
  const auto measured = [&](double s) { return s * (0.97 + 0.06 * random.uniform()); };
  const auto probe_machine = [&](const std::string& name, const Speeds& speeds) {
    const cluster::MachineModel on{name, toy_model_name};
    for (const std::uint32_t depth : {0u, 64u, 160u}) {
      rates_.observe_prefill(on, 16, depth, measured(speeds.prefill_s(16, depth)), now);
    }
    rates_.observe_import(on, toy_chunk_tokens, measured(speeds.import_s), now);
    rates_.observe_decode(on, measured(speeds.decode_s), now);
  };
  const std::string& own = decode_.process.name;
  if (everything || random.chance(0.9)) probe_machine(own, decode_.worker->speeds);
  for (const PrefillAgent* peer : peers_) {
    if (!everything && random.chance(0.15)) continue;
    const std::string& name = peer->process.name;
    probe_machine(name, peer->worker->speeds);
    for (const auto& [from, to] : {std::pair(process.machine, peer->process.machine),
                                   std::pair(peer->process.machine, process.machine)}) {
      const double byte_s = 1 / world_.link(from, to).bytes_per_s;
      const bool is_out = from == process.machine;
      const cluster::LinkEnds ends{is_out ? own : name, is_out ? name : own};
      rates_.observe_round_trip(ends, measured(0.002), now);
      rates_.observe_transfer(ends, 1 << 20, measured((1 << 20) * byte_s + 0.002), now);
    }
  }
  saved_rates_ = dump_json(rates_.to_json(now));
}

std::uint32_t Coordinator::held_by(const std::string& peer, const Prompt& prompt) const {
  const auto found = held_.find(peer);
  if (found == held_.end()) return 0;
  std::size_t count = 0;
  while (count < prompt.keys.size() && found->second.contains(prompt.keys[count])) ++count;
  return prompt.end_of(count);
}

cluster::PrefillSituation Coordinator::situation(const Prompt& prompt,
                                                 const std::set<std::string>& tried) const {
  cluster::PrefillSituation out;
  out.model = toy_model_name;
  out.prompt_tokens = prompt.token_count();
  out.chunk_tokens = toy_chunk_tokens;
  out.kv_bytes_per_token = toy_kv_bytes_per_token;
  out.now = world_.now();
  out.error_share = decisions_->error_share();
  const std::string& own = decode_.process.name;
  out.decode.push_back({.machine = own,
                        .excluded = decode_.is_ready() ? "" : "its worker is being started",
                        .stored_tokens = prompt.end_of(decode_.store.prefix(prompt)),
                        .queue_s = decode_.worker->queue_s()});
  out.prefill = peer_table_->prefill_sides({toy_model_name, layout(false)}, own, world_.now());
  for (cluster::PrefillSide& side : out.prefill) {
    if (side.excluded.empty() && tried.contains(side.name)) side.excluded = "has been tried";
    side.held_tokens = held_by(side.name, prompt);
  }
  return out;
}

void Coordinator::choose(RequestId id) {
  Request& request = *find(id);
  const auto choice =
      cluster::choose(situation(*request.prompt, request.run.tried_peers()), rates_);
  const cluster::PrefillOption* chosen = choice.find_chosen();
  if (!chosen) {
    return request.run.on_cannot_choose({Code::unavailable, choice.sentence}, world_.now());
  }
  if (request.work == 0) request.work = ++last_work_;
  if (auto begun = decode_.begin(request.work, request.prompt); !begun) {
    request.work = 0;
    return request.run.on_cannot_choose(begun.error(), world_.now());
  }
  if (!chosen->is_alone() && !chosen->predicted_s) world_.violate("an unknown peer was chosen");
  if (request.decision && request.run.emitted_tokens() == 0) request.as_chosen = false;
  if (!request.decision) {
    request.decision = decisions_->add(fmt::format("request {}", id), choice);
    request.decided = world_.now();
  }
  std::string peer = world_.options().way.value_or(chosen->prefill);
  (peer.empty() ? statistics_.alone : statistics_.remote) += 1;
  request.run.on_chosen(peer.empty() ? std::nullopt : std::optional(std::move(peer)));
}

cluster::DecodeRunParameters Coordinator::parameters(const Prompt& prompt,
                                                     const std::string& peer) const {
  const Instant now = world_.now();
  cluster::DecodeRunParameters out;
  out.chunk_tokens = toy_chunk_tokens;
  out.computed_from = std::min(held_by(peer, prompt), prompt.token_count() - 1);
  out.remote = rates_.prefill({peer, toy_model_name}, now);
  out.local_queue_s = decode_.worker->queue_s();
  out.local = rates_.prefill({decode_.process.name, toy_model_name}, now);
  if (const auto byte_s = rates_.byte_s({peer, decode_.process.name}, now)) {
    out.patience.link_bytes_per_s = 1 / byte_s->value;
    out.transfer_token_s = toy_kv_bytes_per_token * byte_s->value;
    out.tail_s = toy_chunk_tokens * toy_kv_bytes_per_token * byte_s->value;
  }
  if (out.remote) {
    if (const auto chunk = out.remote->seconds(toy_chunk_tokens, prompt.token_count())) {
      out.patience.chunk_compute = to_duration(chunk->value + out.tail_s);
    }
  }
  if (out.local) {
    if (const auto piece = out.local->seconds(toy_chunk_tokens, prompt.token_count())) {
      out.worker_piece = to_duration(piece->value);
    }
  }
  const std::uint64_t one = kv::chunk_bytes(make_toy_chunk(prompt, 0)->header);
  out.limits.staging_bytes_max = one * (1 + prompt.token_count() % 4);
  return out;
}

}  // namespace hearth::sim
