#pragma once
// The prefilling side of one hand-off, from the order to the last acknowledged chunk, as the body
// of the reply to the order: its events, one JSON line each, with a sign of life every second.
//
// Two threads: "prefill" fetches what the caller has and this store lacks, computes, and keeps the
// chunks; "chunk_push" puts them. Dropping the job cancels both, and with them what the worker
// computes.

#include <memory>

#include "hearth/base/bounded_queue.h"
#include "hearth/base/thread.h"
#include "hearth/net/http_message.h"
#include "hearth/node/agent/chunk_push.h"
#include "hearth/node/worker/worker_keeper.h"

namespace hearth::node {

struct PrefillParts {
  std::shared_ptr<const KeptWorker> worker;
  kv::ChunkStore& store;
  PeerClient caller;        // where the chunks go
  std::string incarnation;  // ours
};

class PrefillJob final : public net::BodySource {
 public:
  // `place` is given back when the job is gone.
  PrefillJob(PrefillParts parts, PrefillCall call, std::vector<Token> target,
             std::shared_ptr<const void> place);
  ~PrefillJob() override;

  Result<ByteSpan> next(const StopToken& stop) override;

 private:
  void prefill();
  Result<> fetch_stored();
  Result<> compute();
  void tell(PrefillEvent event);
  PrefillEvent sign_of_life() const;

  const PrefillParts parts_;
  const PrefillCall call_;
  const std::vector<Token> target_;
  const std::shared_ptr<const void> place_;
  StopSource stop_;
  BoundedQueue<PrefillEvent> events_;
  ChunkPush push_;
  std::string line_;
  bool over_ = false;
  Thread prefill_thread_, push_thread_;
};

}  // namespace hearth::node
