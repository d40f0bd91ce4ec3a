#include "hearth/node/agent/prefill_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "hearth/base/log.h"
#include "hearth/kv/sync.h"
#include "hearth/node/worker_prefiller.h"

namespace hearth::node {
namespace {

constexpr Duration chunk_deadline = std::chrono::minutes(10);
constexpr Duration flush_deadline = std::chrono::seconds(60);
constexpr Duration message_deadline = std::chrono::seconds(5);

Instant now() { return std::chrono::steady_clock::now(); }

std::vector<kv::ChunkKey> keys_of(const PrefillCall& call, std::span<const Token> target) {
  const kv::ChunkKey parent =
      call.stored.empty() ? model::root_key(call.ticket.layout) : call.stored.back();
  std::vector<kv::ChunkKey> keys = call.stored;
  for (const model::ChainLink& link : model::continue_chain(parent, call.from, target, call.chunk_tokens)) {
    keys.push_back(link.key);
  }
  return keys;
}

// The peer does not wait for this hand-off any more.
bool means_over(const Error& error) {
  return error.code == Code::not_found || error.code == Code::permission;
}

kv::PutFailure failure_of(const Error& error) {
  switch (error.code) {
    case Code::resource_exhausted: return kv::PutFailure::busy;
    case Code::corrupt: return kv::PutFailure::damaged;
    case Code::invalid_argument:
    case Code::unsupported: return kv::PutFailure::refused;
    default: return kv::PutFailure::link;
  }
}

}  // namespace

// Its key says of which tokens it is, not where they stand; kept in another place it would be of no use to anybody.
Result<> check_fetched(const kv::ChunkHeader& fetched, const PrefillCall& call, std::span<const Token> target,
                       std::optional<TokenRange> before) {
  const auto at = std::ranges::find(call.stored, fetched.key);
  const bool is_first = at == call.stored.begin() && at != call.stored.end();
  if (is_first) before = TokenRange{0, 0};
  const TokenRange range = fetched.range;
  const bool is_there = at != call.stored.end() && before && range.begin == before->end && range.begin < range.end &&
                        range.end <= std::min<std::size_t>(call.from, target.size()) &&
                        fetched.parent == (is_first ? model::root_key(call.ticket.layout) : *std::prev(at));
  if (is_there && std::ranges::equal(fetched.tokens, target.subspan(range.begin, range.count()))) return {};
  return fail(Code::corrupt, fmt::format("chunk {} for tokens {} to {} is not of the prompt that came with it",
                                         fetched.key.short_hex(), range.begin, range.end));
}

PrefillJob::PrefillJob(PrefillParts parts, PrefillCall call, std::vector<Token> target)
    : parts_(std::move(parts)), call_(std::move(call)), target_(std::move(target)),
      use_{.id = call_.ticket.id, .issuer_incarnation = call_.ticket.issuer_incarnation,
           .attempt = call_.ticket.attempt, .sender_incarnation = parts_.incarnation},
      run_(call_.ticket, keys_of(call_, target_), parts_.patience, std::random_device{}(), now()) {
  compute_thread_ = Thread("prefill", [this] { compute(); });
  push_thread_ = Thread("chunk_push", [this] { push(); });
}

PrefillJob::~PrefillJob() {
  report([](cluster::PrefillRun& run) {
    run.cancel({Code::cancelled, "the prefill machine is shutting down"});
  });
  stop_.request_stop();
  compute_thread_.join();
  push_thread_.join();
}

template <class Report>
void PrefillJob::report(Report report) {
  const std::lock_guard hold(mutex_);
  report(run_);
  changed_.notify_all();
}

void PrefillJob::peer_cancelled() {
  report([](cluster::PrefillRun& run) { run.on_peer_over(); });
  stop_.request_stop();  // what is being computed, and the chunk on its way
}

bool PrefillJob::is_over() const {
  const std::lock_guard hold(mutex_);
  return run_.is_over();
}

void PrefillJob::compute() {
  if (const auto fetched = fetch_stored(); !fetched) {
    log_info("a prefix is computed instead of fetched: " + fetched.error().message);
  }
  if (auto computed = try_compute(); !computed) {
    report([&](cluster::PrefillRun& run) { run.on_prefill_failed(std::move(computed.error())); });
  }
}

// What the caller has and we lack comes over the link: that is faster than computing it again.
Result<> PrefillJob::fetch_stored() {
  if (!call_.fetch_stored) return {};
  std::vector<kv::ChunkKey> lacking = parts_.store.missing(call_.stored);
  // Where computing is to go on, the recurrent state is wanted too.
  const bool has_end = call_.stored.empty() || parts_.store.contains_whole(call_.stored.back());
  if (!has_end && (lacking.empty() || lacking.back() != call_.stored.back())) {
    lacking.push_back(call_.stored.back());
  }
  for (const kv::ChunkKey& key : lacking) {
    auto chunk = TRY(parts_.caller.get(call_.ticket.layout, key, stop_.token()));
    const auto at = std::ranges::find(call_.stored, key);
    const auto before = at == call_.stored.begin() ? std::nullopt : parts_.store.range_of(*std::prev(at));
    TRY(check_fetched(chunk->header, call_, target_, before));
    const std::uint32_t end = chunk->header.range.end;
    TRY(keep(std::move(chunk)));
    report([&](cluster::PrefillRun& run) { run.on_computed(end, now()); });  // and the lease lasts
  }
  return {};
}

// Memory that is full of what waits for the disk has room soon.
Result<> PrefillJob::keep(kv::SharedChunk chunk) {
  auto put = parts_.store.put(chunk);
  if (!put && put.error().code == Code::resource_exhausted) {
    TRY(parts_.store.flush(Deadline::after(flush_deadline)));
    put = parts_.store.put(std::move(chunk));
  }
  if (!put) return std::unexpected(std::move(put.error()));
  return {};
}

Result<> PrefillJob::try_compute() {
  WorkerPrefiller prefiller(parts_.worker->client, parts_.worker->info, &parts_.store);
  std::vector<kv::PrefixChunk> stored;
  if (!call_.stored.empty()) stored.push_back({.key = call_.stored.back(), .range = {0, call_.from}});
  const auto source = TRY(prefiller.open(
      {.target = target_, .layout = call_.ticket.layout, .stored = stored}, stop_.token()));
  Instant began = now();
  bool is_first = true;  // its time has the opening in it, and what lies before it
  for (auto index = static_cast<std::uint32_t>(call_.stored.size());; ++index) {
    auto chunk = TRY(source->next(Deadline::after(chunk_deadline)));
    if (chunk == nullptr) return {};
    const TokenRange range = chunk->header.range;
    const std::uint32_t end = range.end;
    if ((!is_first || range.begin == 0) && parts_.on_piece) {
      parts_.on_piece({range.count(), range.begin, seconds(now() - began)});
    }
    is_first = false;
    began = now();
    const std::uint64_t bytes = kv::chunk_bytes(chunk->header);
    TRY(keep(std::move(chunk)));
    report([&](cluster::PrefillRun& run) {
      run.on_computed(end, now());
      run.on_available(index, bytes, now());
    });
  }
}

void PrefillJob::push() {
  std::unique_lock hold(mutex_);
  while (true) {
    const cluster::PrefillRunAction action = run_.next(now());
    if (const auto* wait = std::get_if<cluster::WaitForReport>(&action)) {
      changed_.wait_until(hold, wait->until);
      continue;
    }
    const kv::SenderStatistics sent = run_.statistics();
    hold.unlock();
    if (const auto* asked = std::get_if<kv::QueryMissing>(&action)) query(*asked);
    if (const auto* chunk = std::get_if<kv::PutChunk>(&action)) put(*chunk);
    if (const auto* told = std::get_if<cluster::SendProgress>(&action)) tell_progress(told->done_tokens);
    if (const auto* closing = std::get_if<cluster::SendClosing>(&action)) close(closing->manifest);
    if (const auto* over = std::get_if<cluster::PrefillRunOver>(&action)) {
      if (over->error && over->error->code != Code::cancelled) {
        log_info("a prefill for a peer ended: " + over->error->message);
      }
      if (over->tell_peer && over->error) {
        (void)parts_.caller.tell_failed(use_, over->error->message, Deadline::after(message_deadline));
      }
      stop_.request_stop();  // what is still being computed
      if (parts_.on_over) parts_.on_over(sent);
      return;
    }
    hold.lock();
  }
}

void PrefillJob::query(const kv::QueryMissing& action) {
  const auto missing = parts_.caller.missing(use_, action.keys, Deadline::at(action.deadline), stop_.token());
  report([&](cluster::PrefillRun& run) {
    if (missing) return run.on_missing(action.attempt, *missing, now());
    if (means_over(missing.error())) return run.on_peer_over();
    run.on_query_failed(action.attempt, missing.error(), now());
  });
}

void PrefillJob::put(const kv::PutChunk& action) {
  const auto chunk = parts_.store.get(action.key);
  if (!chunk) {
    return report([&](cluster::PrefillRun& run) {
      run.on_prefill_failed(with_context(chunk.error(), "a chunk left the store unsent"));
    });
  }
  const auto refusal = parts_.caller.put(use_, **chunk, stop_.token());
  report([&](cluster::PrefillRun& run) {
    if (!refusal && means_over(refusal.error())) return run.on_peer_over();
    if (!refusal) {
      return run.on_put_failed(action.attempt, failure_of(refusal.error()), refusal.error(), now());
    }
    const auto failure = *refusal ? kv::put_failure_of(**refusal) : std::nullopt;
    if (!failure) return run.on_stored(action.attempt, now());
    if (**refusal == kv::Refusal::over) return run.on_peer_over();
    run.on_put_failed(action.attempt, *failure,
                      {Code::unavailable, fmt::format("the peer refused a chunk: {}",
                                                      kv::refusal_name(**refusal))}, now());
  });
}

void PrefillJob::tell_progress(std::uint32_t done_tokens) {
  const auto over = parts_.caller.progress(use_, done_tokens, Deadline::after(message_deadline), stop_.token());
  report([&](cluster::PrefillRun& run) {
    if (over && !*over) return run.on_acknowledged(now());
    if (over || means_over(over.error())) run.on_peer_over();
  });
}

void PrefillJob::close(const cluster::ClosingManifest& manifest) {
  const auto closed = parts_.caller.close(use_, manifest, Deadline::after(message_deadline), stop_.token());
  report([&](cluster::PrefillRun& run) {
    if (closed) return run.on_acknowledged(now());
    if (means_over(closed.error())) run.on_peer_over();
  });
}

}  // namespace hearth::node
