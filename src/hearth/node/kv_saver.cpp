#include "hearth/node/kv_saver.h"


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

void KvSaver::add(std::vector<Token> tokens, std::weak_ptr<kv::ChunkStore> store) {
  {
    const std::lock_guard hold(mutex_);
    ++unfinished_;
  }
  if (!waiting_.try_push({std::move(tokens), std::move(store)})) finished_one();
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
  while (auto wanted = waiting_.pop(Deadline::never())) {
    if (!stop_.stop_requested()) {
      if (const auto saved = save(*wanted); !saved && !stop_.stop_requested()) {
        log_warning("KV was not kept: " + saved.error().message);
      }
    }
    finished_one();
  }
}

Result<> KvSaver::save(const Waiting& wanted) {
  const auto store = wanted.store.lock();
  if (!store) return {};
  const std::vector<Token>& tokens = wanted.tokens;
  const auto worker = keeper_.current();
  if (!worker || !worker->info.layout()) return {};
  const model::LayoutDigest layout = *worker->info.layout();
  const kv::StoredPrefix stored = store->longest_prefix(layout, tokens);
  const std::uint32_t from = stored.token_count();
  if (tokens.size() - from < worker->info.chunk_tokens) return {};
  const model::ChunkKey parent = stored.chunks.empty() ? model::root_key(layout) : stored.chunks.back().key;
  const auto source = TRY(worker->client.export_held(tokens, from, parent, layout,
                                                     Deadline::after(call_deadline), stop_.token()));
  while (auto chunk = TRY(source->next(Deadline::after(call_deadline)))) {
    TRY(store->put(std::move(chunk)));
  }
  return {};
}

}  // namespace hearth::node
