// What the prefill side sends, honestly or not.

#include <string>
#include <utility>

#include "hearth/kv/sync.h"
#include "tests/sim/decode_agent.h"
#include "tests/sim/prefill_agent.h"

namespace hearth::sim {

void PrefillAgent::send_query(const Run& run, const kv::QueryMissing& query) {
  const auto use = use_of(run);
  const kv::AttemptId attempt = query.attempt;
  const auto gone = for_run(hand_off_of(run), [this, attempt](Run& its) {
    its.run.on_query_failed(attempt, {Code::unavailable, "connection refused"}, world_.now());
  });
  const auto over = for_run(hand_off_of(run), [](Run& its) { its.run.on_peer_over(); });
  const HandOff which = hand_off_of(run);
  world_.call(
      process, decode_->process, small_message_bytes,
      [=, this](const World::Delivery& delivery) {
        const auto missing = decode_->on_query(process.name, use);
        if (!missing) return delivery.reply(over);
        delivery.reply(for_run(which, [this, attempt, keys = *missing](Run& its) {
          its.run.on_missing(attempt, keys, world_.now());
        }));
      },
      gone);
}

// A liar's chunks: under a key that does not follow, with other bytes than the digest says, with
// bytes that are no KV, or an honest chunk of something that nobody asked for.
kv::SharedChunk PrefillAgent::as_sent(const kv::SharedChunk& chunk, const Prompt& prompt,
                                      std::uint32_t index) {
  if (!lies()) return chunk;
  kv::Chunk out;
  out.header = chunk->header;
  out.payload = Buffer::create(chunk->payload.size()).value();
  std::memcpy(out.payload.data(), chunk->payload.data(), chunk->payload.size());
  switch (world_.random().below(5)) {
    case 0:
      out.payload.data()[0] ^= std::byte{1};
      break;
    case 1:
      out.header.tokens[0] ^= 1;
      break;
    case 2:
      out.header.range.begin += toy_chunk_tokens;
      out.header.range.end += toy_chunk_tokens;
      break;
    case 3:
      return make_toy_chunk(prompt, index, 8);
    default: {
      std::vector<Token> other(chunk->header.tokens);
      other.push_back(7);
      other[0] ^= 1;
      return make_toy_chunk(Prompt::of(other), 0);
    }
  }
  return std::make_shared<const kv::Chunk>(std::move(out));
}

void PrefillAgent::send_put(const Id& id, const kv::PutChunk& put) {
  Run& run = runs_.at(id);
  const kv::AttemptId attempt = put.attempt;
  const kv::SharedChunk chunk = store.find(put.key);
  if (!chunk) {
    run.run.on_put_failed(attempt, kv::PutFailure::unavailable,
                          {Code::not_found, "evicted meanwhile"}, world_.now());
    return compute(id);
  }
  const auto use = use_of(run);
  const auto gone = for_run(hand_off_of(run), [this, attempt](Run& its) {
    its.run.on_put_failed(attempt, kv::PutFailure::link, {Code::unavailable, "connection refused"},
                          world_.now());
  });
  const auto report = [this, attempt](Run& its, std::expected<std::uint32_t, kv::Refusal> outcome) {
    if (!outcome && outcome.error() == kv::Refusal::over) return its.run.on_peer_over();
    const auto failure = outcome ? std::nullopt : kv::put_failure_of(outcome.error());
    if (!failure) return its.run.on_stored(attempt, world_.now());
    its.run.on_put_failed(attempt, *failure,
                          {Code::unavailable, std::string(kv::refusal_name(outcome.error()))},
                          world_.now());
  };
  const HandOff which = hand_off_of(run);
  const auto bytes =
      static_cast<std::uint64_t>(chunk->header.range.count() * toy_kv_bytes_per_token);
  world_.call(
      process, decode_->process, bytes,
      [=, this, sent = as_sent(chunk, *run.prompt, put.index)](const World::Delivery& delivery) {
        decode_->on_put(process.name, use, sent, delivery, [=, this](auto outcome) {
          delivery.reply(for_run(which, [=](Run& its) { report(its, outcome); }));
        });
      },
      gone);
}

void PrefillAgent::send_progress(const Run& run, std::uint32_t done_tokens) {
  if (lies()) done_tokens = static_cast<std::uint32_t>(world_.random().below(300));
  const auto use = use_of(run);
  const auto acknowledged =
      for_run(hand_off_of(run), [this](Run& its) { its.run.on_acknowledged(world_.now()); });
  const auto over = for_run(hand_off_of(run), [](Run& its) { its.run.on_peer_over(); });
  world_.call(process, decode_->process, small_message_bytes,
              [=, this](const World::Delivery& delivery) {
                const bool goes_on = decode_->on_progress(process.name, use, done_tokens);
                delivery.reply(goes_on ? acknowledged : over);
              });
}

void PrefillAgent::send_closing(const Run& run, const cluster::ClosingManifest& manifest) {
  const auto use = use_of(run);
  cluster::ClosingManifest sent = manifest;
  if (lies()) sent.token_count += 1;
  const auto acknowledged =
      for_run(hand_off_of(run), [this](Run& its) { its.run.on_acknowledged(world_.now()); });
  world_.call(process, decode_->process, small_message_bytes,
              [=, this](const World::Delivery& delivery) {
                decode_->on_closing(process.name, use, sent);
                delivery.reply(acknowledged);
              });
}

}  // namespace hearth::sim
