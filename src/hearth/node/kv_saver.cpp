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
  if (finished.pin) {
    // The last token of a prompt belongs to its answer.
    const auto prompt = std::span(finished.tokens).first(finished.pin->prompt_tokens - 1);
    TRY(fetch_pinned(prompt, finished.pin->owner, *worker));
  }
  return fetch(finished.tokens, *worker);
}

Result<> KvSaver::fetch_pinned(std::span<const Token> prompt, const std::string& owner, const KeptWorker& worker) {
  const model::LayoutDigest layout = *worker.info.layout();
  const std::uint32_t chunk_tokens = worker.info.chunk_tokens;
  auto end = static_cast<std::uint32_t>(prompt.size() - prompt.size() % chunk_tokens);
  auto keys = model::chunk_keys(layout, prompt.first(end), chunk_tokens);
  std::vector<std::uint32_t> begins;
  for (std::uint32_t at = 0; at < end; at += chunk_tokens) begins.push_back(at);
  for (; end + pinned_piece_tokens <= prompt.size(); end += pinned_piece_tokens) {
    const model::ChunkKey parent = keys.empty() ? model::root_key(layout) : keys.back();
    keys.push_back(model::next_key(parent, prompt.subspan(end, pinned_piece_tokens)));
    begins.push_back(end);
  }
  TRY(pin(keys, owner));  // before they come, so that nothing evicts them in between
  const auto missing = store_.missing(keys);
  if (missing.empty()) return {};
  const auto first = static_cast<std::size_t>(std::ranges::find(keys, missing.front()) - keys.begin());
  const model::ChunkKey parent = first == 0 ? model::root_key(layout) : keys[first - 1];
  const auto source = TRY(worker.client.export_held(prompt.first(end), begins[first], parent, layout,
                                                    Deadline::after(call_deadline), stop_.token(), pinned_piece_tokens));
  return put_all(*source);
}

Result<> KvSaver::pin(const std::vector<model::ChunkKey>& keys, const std::string& owner) {
  const auto before = store_.pinned(owner);
  const std::set old_keys(before.begin(), before.end());
  const std::set new_keys(keys.begin(), keys.end());
  if (old_keys == new_keys) return {};
  std::vector<model::ChunkKey> stale;
  std::ranges::set_difference(old_keys, new_keys, std::back_inserter(stale));
  TRY(store_.pin(keys, owner));
  return store_.unpin(stale, owner);
}

Result<> KvSaver::fetch(const std::vector<Token>& tokens, const KeptWorker& worker) {
  const model::LayoutDigest layout = *worker.info.layout();
  const kv::StoredPrefix stored = store_.longest_prefix(layout, tokens);
  const std::uint32_t from = stored.token_count();
  if (tokens.size() - from < worker.info.chunk_tokens) return {};
  const model::ChunkKey parent = stored.chunks.empty() ? model::root_key(layout) : stored.chunks.back().key;
  const auto source = TRY(worker.client.export_held(tokens, from, parent, layout,
                                                    Deadline::after(call_deadline), stop_.token()));
  return put_all(*source);
}

Result<> KvSaver::put_all(ChunkSource& source) {
  while (auto chunk = TRY(source.next(Deadline::after(call_deadline)))) {
    TRY(store_.put(std::move(chunk)));
  }
  return {};
}

}  // namespace hearth::node
