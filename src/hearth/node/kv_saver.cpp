#include "hearth/node/kv_saver.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <set>

#include "hearth/base/log.h"

namespace hearth::node {
namespace {

constexpr Duration call_deadline = std::chrono::seconds(60);

}  // namespace

KvSaver::KvSaver(const WorkerKeeper& keeper, kv::ChunkStore& store)
    : keeper_(keeper), store_(store), thread_("kv_save", [this] { run(); }) {}

KvSaver::~KvSaver() {
  stop_.request_stop();
  waiting_.close();
}

void KvSaver::add(std::vector<Token> tokens, std::optional<KvPin> pin) {
  {
    const std::lock_guard hold(mutex_);
    ++unfinished_;
  }
  if (!waiting_.try_push({std::move(tokens), std::move(pin)})) finished_one();
}

void KvSaver::drain(Deadline deadline) {
  std::unique_lock hold(mutex_);
  idle_.wait_until(hold, deadline.when(), [this] { return unfinished_ == 0; });
}

void KvSaver::finished_one() {
  const std::lock_guard hold(mutex_);
  if (--unfinished_ == 0) idle_.notify_all();
}

void KvSaver::run() {
  while (auto finished = waiting_.pop(Deadline::never())) {
    if (!stop_.stop_requested()) {
      if (const auto saved = save(*finished); !saved && !stop_.stop_requested()) {
        log_warning("KV was not kept: " + saved.error().message);
      }
    }
    finished_one();
  }
}

Result<> KvSaver::save(const Finished& finished) {
  const auto worker = keeper_.current();
  if (!worker || !worker->info.layout()) return {};
  // A pin may come before its chunk, so that nothing evicts it in between.
  if (finished.pin) TRY(pin(finished, *worker));
  return fetch(finished.tokens, *worker);
}

Result<> KvSaver::pin(const Finished& finished, const KeptWorker& worker) {
  const KvPin& wanted = *finished.pin;
  // The last token of a prompt belongs to its answer.
  const auto prompt = std::span(finished.tokens).first(wanted.prompt_tokens - 1);
  const auto whole = prompt.first(prompt.size() - prompt.size() % worker.info.chunk_tokens);
  const auto keys = model::chunk_keys(*worker.info.layout(), whole, worker.info.chunk_tokens);
  const auto before = store_.pinned(wanted.owner);
  const std::set old_keys(before.begin(), before.end());
  const std::set new_keys(keys.begin(), keys.end());
  if (old_keys == new_keys) return {};
  std::vector<model::ChunkKey> stale;
  std::ranges::set_difference(old_keys, new_keys, std::back_inserter(stale));
  TRY(store_.pin(keys, wanted.owner));
  return store_.unpin(stale, wanted.owner);
}

Result<> KvSaver::fetch(const std::vector<Token>& tokens, const KeptWorker& worker) {
  const model::LayoutDigest layout = *worker.info.layout();
  const kv::StoredPrefix stored = store_.longest_prefix(layout, tokens);
  const std::uint32_t from = stored.token_count();
  if (tokens.size() - from < worker.info.chunk_tokens) return {};
  const model::ChunkKey parent = stored.chunks.empty() ? model::root_key(layout) : stored.chunks.back().key;
  const auto source = TRY(worker.client.export_held(tokens, from, parent, layout,
                                                    Deadline::after(call_deadline), stop_.token()));
  while (auto chunk = TRY(source->next(Deadline::after(call_deadline)))) {
    TRY(store_.put(std::move(chunk)));
  }
  return {};
}

}  // namespace hearth::node
