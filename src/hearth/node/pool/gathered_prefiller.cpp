#include "hearth/node/pool/gathered_prefiller.h"

#include <algorithm>

#include "hearth/node/worker_prefiller.h"

namespace hearth::node {
namespace {

// Keeps the life of the worker it reads from, and tells its keeper when that seems to be over.
class GatheredSource final : public ChunkSource {
 public:
  GatheredSource(WorkerKeeper& keeper, std::shared_ptr<const KeptWorker> worker)
      : keeper_(keeper), worker_(std::move(worker)) {}

  Result<> open(const PrefillOrder& order, kv::ChunkStore* store, const StopToken& stop) {
    WorkerPrefiller prefiller(worker_->client, worker_->info, store);
    auto opened = prefiller.open(order, stop);
    if (!opened) return suspect(std::move(opened.error()));
    inner_ = *std::move(opened);
    return {};
  }
  Result<kv::SharedChunk> next(Deadline deadline) override {
    auto chunk = inner_->next(deadline);
    if (!chunk) return suspect(std::move(chunk.error()));
    return chunk;
  }
  Instant chunk_began() const override { return inner_->chunk_began(); }

 private:
  std::unexpected<Error> suspect(Error error) {
    if (error.code == Code::unavailable) keeper_.suspect(worker_);
    return std::unexpected(std::move(error));
  }

  WorkerKeeper& keeper_;
  const std::shared_ptr<const KeptWorker> worker_;
  std::unique_ptr<ChunkSource> inner_;
};

}  // namespace

GatheredPrefiller::GatheredPrefiller(kv::ChunkStore* store)
    : http_(net::make_curl_client()), store_(store) {}

Result<std::unique_ptr<GatheredPrefiller>> GatheredPrefiller::start(KeeperOptions options, kv::ChunkStore* store,
                                                                    WorkerKeeper::Progress progress,
                                                                    const StopToken& stop) {
  std::unique_ptr<GatheredPrefiller> out(new GatheredPrefiller(store));
  out->keeper_ = TRY(WorkerKeeper::start(std::move(options), *out->http_, std::move(progress), stop));
  return out;
}

Result<std::unique_ptr<ChunkSource>> GatheredPrefiller::open(const PrefillOrder& order, const StopToken& stop) {
  auto worker = keeper_->current();
  if (!worker || worker->info.layout() != order.layout) return nullptr;
  const std::uint32_t had = std::max(order.from(), order.held_tokens);
  if (order.target.size() < had + std::size_t{gathered_chunks_min} * worker->info.chunk_tokens) return nullptr;
  auto source = std::make_unique<GatheredSource>(*keeper_, std::move(worker));
  TRY(source->open(order, store_, stop));
  return source;
}

}  // namespace hearth::node
