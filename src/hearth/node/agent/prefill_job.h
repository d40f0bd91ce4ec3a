#pragma once
// The prefilling side of one hand-off: the thin driver around cluster::PrefillRun. Two threads:
// "prefill" fetches what the caller has and this store lacks, computes, keeps the chunks;
// "chunk_push" does what the run says: asks what is missing, puts, tells. Neither needs a
// connection to last. Destroying the job ends both, and what the worker computes.

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "hearth/base/thread.h"
#include "hearth/cluster/prefill_run.h"
#include "hearth/node/agent/peer_client.h"
#include "hearth/node/worker/worker_keeper.h"

namespace hearth::node {

struct PrefillParts {
  std::shared_ptr<const KeptWorker> worker;
  kv::ChunkStore& store;
  PeerClient caller;              // where the chunks go
  std::uint64_t incarnation = 0;  // ours
  kv::SyncParameters patience = {};
  std::function<void(const PrefillPiece&)> on_piece = {};  // computed
  // On its thread, at its end; must not destroy the job.
  std::function<void(const kv::SenderStatistics&)> on_over = {};
};

// Whether a chunk that was fetched stands where `call` has its key. `before`: the range of the chunk before it there, as
// this store knows it; the first one has none. Pure.
Result<> check_fetched(const kv::ChunkHeader& fetched, const PrefillCall& call, std::span<const Token> target,
                       std::optional<TokenRange> before);

class PrefillJob {
 public:
  PrefillJob(PrefillParts parts, PrefillCall call, std::vector<Token> target);
  ~PrefillJob();
  PrefillJob(const PrefillJob&) = delete;
  PrefillJob& operator=(const PrefillJob&) = delete;

  const cluster::Ticket& ticket() const { return call_.ticket; }
  void peer_cancelled();
  bool is_over() const;

 private:
  void compute();
  Result<> fetch_stored();
  Result<> keep(kv::SharedChunk chunk);
  Result<> try_compute();
  void push();
  void query(const kv::QueryMissing& action);
  void put(const kv::PutChunk& action);
  void tell_progress(std::uint32_t done_tokens);
  void close(const cluster::ClosingManifest& manifest);
  template <class Report>
  void report(Report report);

  const PrefillParts parts_;
  const PrefillCall call_;
  const std::vector<Token> target_;
  const cluster::TicketUse use_;
  StopSource stop_;
  mutable std::mutex mutex_;  // what follows
  std::condition_variable changed_;
  cluster::PrefillRun run_;
  Thread compute_thread_, push_thread_;
};

}  // namespace hearth::node
