#include "hearth/node/pool/gathered_prefiller.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "hearth/node/worker_prefiller.h"

namespace hearth::node {
namespace {

Instant now() { return std::chrono::steady_clock::now(); }

// Keeps the life of the worker it reads from, and tells its keeper when that seems to be over.
class GatheredSource final : public ChunkSource {
 public:
  // `pool` and `keeper` outlive this.
  GatheredSource(std::string_view pool, WorkerKeeper& keeper, std::shared_ptr<const KeptWorker> worker,
                 GatheredWatch watch)
      : pool_(pool), keeper_(keeper), worker_(std::move(worker)), watch_(std::move(watch)) {}
  ~GatheredSource() override {
    inner_.reset();  // it computes no longer
    if (watch_.on_over) watch_.on_over();
  }

  Result<> open(const PrefillOrder& order, kv::ChunkStore* store, const StopToken& stop) {
    held_tokens_ = imported_tokens_ = committed_tokens_ = std::max(order.from(), order.held_tokens);
    WorkerPrefiller prefiller(worker_->client, worker_->info, store);
    const Instant asked = now();
    auto opened = prefiller.open(order, stop);
    if (!opened) return suspect(std::move(opened.error()));
    inner_ = *std::move(opened);
    last_began_ = now();
    // Else it was given the stored prefix, too.
    if (watch_.on_begun && order.from() == 0) watch_.on_begun(last_began_ - asked);
    return {};
  }
  Result<kv::SharedChunk> next(Deadline deadline) override {
    if (is_ended_) return kv::SharedChunk();  // what comes would not be imported
    auto chunk = inner_->next(deadline);
    if (!chunk) {
      if (watch_.on_lost && chunk.error().code != Code::cancelled) watch_.on_lost(chunk.error(), committed_tokens_);
      return suspect(std::move(chunk.error()));
    }
    if (*chunk != nullptr) note_piece(**chunk);
    return chunk;
  }
  Instant chunk_began() const override { return inner_->chunk_began(); }
  std::string_view machine() const override { return pool_; }

  // The importer takes one after another, each at once when it is there.
  void on_imported() override {
    const std::lock_guard hold(mutex_);
    if (waiting_.empty()) return;
    const Handed handed = waiting_.front();
    waiting_.erase(waiting_.begin());
    const Instant began = std::max(handed.at, last_imported_);
    last_imported_ = now();
    imported_tokens_ = std::max(imported_tokens_, handed.range.end);
    if (handed.range.end <= held_tokens_) return;  // passed over: the worker held it
    if (watch_.on_imported) watch_.on_imported(handed.range.count(), last_imported_ - began);
  }
  void on_import_refused(const Error& error) override {
    is_ended_ = true;
    const std::lock_guard hold(mutex_);
    if (watch_.on_lost) watch_.on_lost(error, imported_tokens_);
  }
  void on_worker_lost(const Error&) override { is_ended_ = true; }

 private:
  struct Handed {
    TokenRange range;
    Instant at{};
  };

  void note_piece(const kv::Chunk& chunk) {
    const TokenRange range = chunk.header.range;
    const Instant began = inner_->chunk_began(), here = now();
    if (watch_.on_piece) {
      watch_.on_piece({.key = chunk.header.key, .range = range, .bytes = kv::chunk_bytes(chunk.header),
                       .computed = began - last_began_, .transfer = here - began});
    }
    last_began_ = began;
    committed_tokens_ = std::max(committed_tokens_, range.end);
    const std::lock_guard hold(mutex_);
    waiting_.push_back({range, here});
  }

  std::unexpected<Error> suspect(Error error) {
    if (error.code == Code::unavailable) keeper_.suspect(worker_);
    return std::unexpected(std::move(error));
  }

  const std::string_view pool_;
  WorkerKeeper& keeper_;
  const std::shared_ptr<const KeptWorker> worker_;
  const GatheredWatch watch_;
  std::unique_ptr<ChunkSource> inner_;
  Instant last_began_{};
  std::uint32_t held_tokens_ = 0;  // before the first piece
  std::uint32_t committed_tokens_ = 0;
  std::atomic<bool> is_ended_ = false;  // the importer's word to the reader
  std::mutex mutex_;  // what follows: the importer has a thread of its own
  std::vector<Handed> waiting_;  // given out, not imported yet
  Instant last_imported_{};
  std::uint32_t imported_tokens_ = 0;
};

}  // namespace

GatheredPrefiller::GatheredPrefiller(std::string name, kv::ChunkStore* store)
    : name_(std::move(name)), http_(net::make_curl_client()), store_(store) {}

Result<std::unique_ptr<GatheredPrefiller>> GatheredPrefiller::start(std::string name, KeeperOptions options,
                                                                    kv::ChunkStore* store,
                                                                    WorkerKeeper::Progress progress,
                                                                    const StopToken& stop) {
  std::unique_ptr<GatheredPrefiller> out(new GatheredPrefiller(std::move(name), store));
  out->keeper_ = TRY(WorkerKeeper::start(std::move(options), *out->http_, std::move(progress), stop));
  return out;
}

Result<std::unique_ptr<ChunkSource>> GatheredPrefiller::read(const PrefillOrder& order, GatheredWatch watch,
                                                             const StopToken& stop) {
  auto worker = keeper_->current();
  if (!worker || worker->info.layout() != order.layout) {
    if (watch.on_over) watch.on_over();
    return nullptr;
  }
  auto source = std::make_unique<GatheredSource>(name_, *keeper_, std::move(worker), std::move(watch));
  TRY(source->open(order, store_, stop));
  return source;
}

}  // namespace hearth::node
