#include "hearth/node/agent/prefill_job.h"

#include <fmt/format.h>

#include <random>
#include <utility>

#include "hearth/base/log.h"
#include "hearth/node/agent/chain_plan.h"
#include "hearth/node/worker_prefiller.h"

namespace hearth::node {
namespace {

constexpr Duration life_sign_interval = std::chrono::seconds(1);
constexpr Duration stats_deadline = std::chrono::milliseconds(500);
constexpr Duration chunk_deadline = std::chrono::minutes(10);
constexpr std::size_t events_max = 256;

std::vector<kv::ChunkKey> keys_of(const PrefillCall& call, std::span<const Token> target) {
  const kv::ChunkKey parent =
      call.stored.empty() ? model::root_key(call.layout) : call.stored.back();
  std::vector<kv::ChunkKey> keys;
  for (const ChainLink& link : continue_chain(parent, call.from, target, call.chunk_tokens)) {
    keys.push_back(link.key);
  }
  return keys;
}

}  // namespace

PrefillJob::PrefillJob(PrefillParts parts, PrefillCall call, std::vector<Token> target,
                       std::shared_ptr<const void> place)
    : parts_(std::move(parts)), call_(std::move(call)), target_(std::move(target)),
      place_(std::move(place)), events_(events_max),
      push_(parts_.caller, call_.hand_off, parts_.store, keys_of(call_, target_),
            std::random_device{}()) {
  tell(PrefillAccepted{parts_.incarnation});
  prefill_thread_ = Thread("prefill", [this] { prefill(); });
  push_thread_ = Thread("chunk_push", [this] {
    const auto sent = push_.run(stop_.token());
    if (!sent) return tell(sent.error());
    tell(PrefillDelivered{sent->puts, sent->resent, sent->bytes_acknowledged});
  });
}

PrefillJob::~PrefillJob() {
  stop_.request_stop();
  prefill_thread_.join();
  push_thread_.join();
}

Result<ByteSpan> PrefillJob::next(const StopToken&) {
  if (over_) return ByteSpan{};
  auto event = events_.pop(Deadline::after(life_sign_interval));
  if (!event) event = sign_of_life();
  over_ = std::holds_alternative<PrefillDelivered>(*event) || std::holds_alternative<Error>(*event);
  line_ = net::ndjson_line(event_json(*event));
  return as_byte_span(line_);
}

void PrefillJob::tell(PrefillEvent event) { (void)events_.try_push(std::move(event)); }

// The worker's own counter: a worker that hangs lets it stand still.
PrefillEvent PrefillJob::sign_of_life() const {
  const auto stats = parts_.worker->client.stats(Deadline::after(stats_deadline), stop_.token());
  if (!stats) return PrefillAlive{};  // in the middle of a step, or gone: prefill() will tell
  return PrefillAlive{get_or<std::uint64_t>(*stats, "prompt_tokens_computed", 0).value_or(0)};
}

void PrefillJob::prefill() {
  if (const auto fetched = fetch_stored(); !fetched) {
    log_info("a prefix is computed instead of fetched: " + fetched.error().message);
  }
  if (auto computed = compute(); !computed && !stop_.stop_requested()) {
    push_.producer_failed(std::move(computed.error()));
  }
}

// What the caller has and we lack comes over the link: it is faster than computing it again.
Result<> PrefillJob::fetch_stored() {
  for (const kv::ChunkKey& key : parts_.store.missing(call_.stored)) {
    auto chunk = TRY(parts_.caller.get(call_.layout, key, stop_.token()));
    TRY(parts_.store.put(std::move(chunk)));
    push_.producer_works();
  }
  return {};
}

Result<> PrefillJob::compute() {
  WorkerPrefiller prefiller(parts_.worker->client, &parts_.store);
  std::vector<kv::PrefixChunk> stored;
  if (!call_.stored.empty()) stored.push_back({.key = call_.stored.back(), .range = {0, call_.from}});
  const auto source = TRY(prefiller.open({.target = target_, .layout = call_.layout, .stored = stored},
                                         stop_.token()));
  for (std::uint32_t index = 0;; ++index) {
    auto chunk = TRY(source->next(Deadline::after(chunk_deadline)));
    if (chunk == nullptr) return {};
    const std::uint32_t end = chunk->header.range.end;
    const std::uint64_t bytes = kv::chunk_bytes(chunk->header);
    TRY(parts_.store.put(std::move(chunk)));
    push_.available(index, bytes);
    tell(PrefillReached{end});
  }
}

}  // namespace hearth::node
