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

KvSaver::KvSaver(const WorkerKeeper& keeper)
    : keeper_(keeper), thread_("kv_save", [this] { run(); }) {}

KvSaver::~KvSaver() {
  stop_.request_stop();
  waiting_.close();
}

void KvSaver::add(HeldKv held) {
  {
    const std::lock_guard hold(mutex_);
    ++unfinished_;
  }
  if (!waiting_.try_push(std::move(held))) finished_one();
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

Result<> KvSaver::save(const HeldKv& finished) {
  const auto store = finished.store.lock();
  const auto worker = keeper_.current();
  if (!store || !worker) return {};
  const auto layout = worker->info.layout(finished.adapter);
  if (!layout) return {};
  const Ends ends{*worker, *store, finished.adapter, *layout};
  if (finished.pin) {
    // The last token of a prompt belongs to its answer.
    const auto prompt = std::span(finished.tokens).first(finished.pin->prompt_tokens - 1);
    const auto pinned = fetch_pinned(prompt, finished, ends);
    if (!pinned && pinned.error().code != Code::resource_exhausted) return pinned;
    if (!pinned) log_warning("KV is kept unpinned: " + pinned.error().message);
  }
  const Result<> fetched = fetch(finished.tokens, ends);
  note_user(*store, layout, finished.tokens, finished.user);
  return fetched;
}

void note_user(kv::ChunkStore& store, const std::optional<model::LayoutDigest>& layout, std::span<const Token> tokens,
               std::string_view user) {
  if (user.empty() || !layout) return;
  std::vector<model::ChunkKey> keys;
  for (const kv::PrefixChunk& chunk : store.longest_prefix(*layout, tokens).chunks) keys.push_back(chunk.key);
  store.use(keys, user);
}

Result<> KvSaver::fetch_pinned(std::span<const Token> prompt, const HeldKv& finished, const Ends& ends) {
  const model::LayoutDigest& layout = ends.layout;
  const std::uint32_t chunk_tokens = ends.worker.info.chunk_tokens;
  auto end = static_cast<std::uint32_t>(prompt.size() - prompt.size() % chunk_tokens);
  auto keys = model::chunk_keys(layout, prompt.first(end), chunk_tokens);
  std::vector<std::uint32_t> begins;
  for (std::uint32_t at = 0; at < end; at += chunk_tokens) begins.push_back(at);
  for (; end + pinned_piece_tokens <= prompt.size(); end += pinned_piece_tokens) {
    const model::ChunkKey parent = keys.empty() ? model::root_key(layout) : keys.back();
    keys.push_back(model::next_key(parent, prompt.subspan(end, pinned_piece_tokens)));
    begins.push_back(end);
  }
  TRY(pin(keys, finished.pin->owner, ends.store));  // before they come, so that nothing evicts them in between
  const auto missing = ends.store.missing(keys);
  Result<> fetched;
  if (!missing.empty()) fetched = fetch_missing(prompt.first(end), keys, begins, missing.front(), ends);
  if (!finished.user.empty()) ends.store.use(keys, finished.user);
  return fetched;
}

Result<> KvSaver::fetch_missing(std::span<const Token> prompt, const std::vector<model::ChunkKey>& keys,
                                const std::vector<std::uint32_t>& begins, const model::ChunkKey& first_missing, const Ends& ends) {
  const model::LayoutDigest& layout = ends.layout;
  const auto first = static_cast<std::size_t>(std::ranges::find(keys, first_missing) - keys.begin());
  const model::ChunkKey parent = first == 0 ? model::root_key(layout) : keys[first - 1];
  const auto source = TRY(ends.worker.client.export_held(
      prompt,
      {.from = begins[first], .parent = parent, .layout = layout, .adapter = ends.adapter,
       .tail_tokens = pinned_piece_tokens},
      Deadline::after(call_deadline), stop_.token()));
  return put_all(*source, ends.store);
}

Result<> KvSaver::pin(const std::vector<model::ChunkKey>& keys, const std::string& owner, kv::ChunkStore& store) {
  const auto before = store.pinned(owner);
  const std::set old_keys(before.begin(), before.end());
  const std::set new_keys(keys.begin(), keys.end());
  if (old_keys == new_keys) return {};
  std::vector<model::ChunkKey> stale;
  std::ranges::set_difference(old_keys, new_keys, std::back_inserter(stale));
  TRY(store.pin(keys, owner));
  return store.unpin(stale, owner);
}

Result<> KvSaver::fetch(const std::vector<Token>& tokens, const Ends& ends) {
  const model::LayoutDigest& layout = ends.layout;
  const kv::StoredPrefix stored = ends.store.longest_prefix(layout, tokens);
  const std::uint32_t from = stored.token_count();
  if (tokens.size() - from < ends.worker.info.chunk_tokens) return {};
  const model::ChunkKey parent = stored.chunks.empty() ? model::root_key(layout) : stored.chunks.back().key;
  const auto source = TRY(ends.worker.client.export_held(
      tokens, {.from = from, .parent = parent, .layout = layout, .adapter = ends.adapter},
      Deadline::after(call_deadline), stop_.token()));
  return put_all(*source, ends.store);
}

Result<> KvSaver::put_all(ChunkSource& source, kv::ChunkStore& store) {
  while (auto chunk = TRY(source.next(Deadline::after(call_deadline)))) {
    TRY(store.put(std::move(chunk)));
  }
  return {};
}

}  // namespace hearth::node
