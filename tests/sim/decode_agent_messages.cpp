// What the prefill side sends: every message shows its ticket first.

#include <utility>

#include "tests/sim/decode_agent.h"

namespace hearth::sim {
namespace {

kv::SharedChunk damaged_copy(const kv::SharedChunk& chunk) {
  kv::Chunk out;
  out.header = chunk->header;
  out.payload = Buffer::create(chunk->payload.size()).value();
  std::memcpy(out.payload.data(), chunk->payload.data(), chunk->payload.size());
  out.payload.data()[out.payload.size() - 1] ^= std::byte{4};
  return std::make_shared<const kv::Chunk>(std::move(out));
}

}  // namespace

std::optional<DecodeAgent::WorkId> DecodeAgent::find_work(const std::string& from,
                                                          const cluster::TicketUse& use) {
  if (tickets_->check(use, from) != cluster::TicketVerdict::good) {
    ++refused_tickets;
    return {};
  }
  return hand_offs_.at(use.id);
}

std::optional<std::vector<kv::ChunkKey>> DecodeAgent::on_query(const std::string& from,
                                                               const cluster::TicketUse& use) {
  const auto id = find_work(from, use);
  if (!id) return {};
  auto missing = find(*id)->run->run.missing(world_.now());
  pump(*id);
  return missing;
}

void DecodeAgent::on_put(const std::string& from, const cluster::TicketUse& use,
                         const kv::SharedChunk& chunk, const World::Delivery& delivery,
                         std::function<void(std::expected<std::uint32_t, kv::Refusal>)> answer) {
  const auto id = find_work(from, use);
  if (!id) return answer(std::unexpected(kv::Refusal::over));
  Run& run = *find(*id)->run;
  const auto reservation = run.run.admit(chunk->header.key, kv::chunk_bytes(chunk->header), world_.now());
  if (!reservation) {
    ++refused_chunks;
    pump(*id);
    return answer(std::unexpected(reservation.error()));
  }
  run.open_bodies.insert(reservation->id);
  world_.at(world_.up_to(std::chrono::milliseconds(20)), process,
            [=, this, id = *id, reservation = *reservation, is_cut = delivery.is_cut,
             body = delivery.is_damaged ? damaged_copy(chunk) : chunk] {
              Run* its = find_run(id, use.id);
              if (!its) return answer(std::unexpected(kv::Refusal::over));
              its->open_bodies.erase(reservation.id);
              if (is_cut) {
                its->run.on_body_cut(reservation);
                return answer(std::unexpected(kv::Refusal::payload_size));
              }
              const auto outcome = its->run.on_body(reservation, body, world_.now());
              if (outcome) store.chunks.emplace(body->header.key, body);
              if (outcome && its->pinned.insert(body->header.key).second)
                store.pin(body->header.key);
              if (!outcome) {
                ++refused_chunks;
                if (world_.is_sabotaged(Sabotage::trust_everybody)) {
                  worker->import(find(id)->sequence, *find(id)->prompt, *body, [](bool) {});
                }
              }
              answer(outcome);
              pump(id);
            });
}

bool DecodeAgent::on_progress(const std::string& from, const cluster::TicketUse& use,
                              std::uint32_t done_tokens) {
  const auto id = find_work(from, use);
  if (!id) return false;
  const bool goes_on = find(*id)->run->run.on_progress(done_tokens, world_.now());
  pump(*id);
  return goes_on;
}

void DecodeAgent::on_closing(const std::string& from, const cluster::TicketUse& use,
                             const cluster::ClosingManifest& manifest) {
  const auto id = find_work(from, use);
  if (!id) return;
  find(*id)->run->run.on_closing(manifest);
  pump(*id);
}

void DecodeAgent::on_peer_failed(const std::string& from, const cluster::TicketUse& use,
                                 const std::string& why) {
  const auto id = find_work(from, use);
  if (!id) return;
  find(*id)->run->run.on_peer_failed(why);
  pump(*id);
}

}  // namespace hearth::sim
