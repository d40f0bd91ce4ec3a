#pragma once
// Brings the KV of finished answers from the worker into the chunk store, behind the answers' back:
// a conversation then survives the worker, and a restart of everything. One thread ("kv_save").
//
// Best effort: what the worker no longer holds, or what the store refuses, is computed again one day.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "hearth/base/bounded_queue.h"
#include "hearth/base/stop.h"
#include "hearth/base/thread.h"
#include "hearth/kv/store.h"
#include "hearth/node/worker/worker_keeper.h"

namespace hearth::node {

class KvSaver {
 public:
  // `keeper` outlives this.
  explicit KvSaver(const WorkerKeeper& keeper);
  // Saves no more of what waits.
  ~KvSaver();

  // The worker holds the KV of a beginning of `tokens`. Never waits; dropped when too much waits, or
  // when the store is gone by then (a vault that was locked).
  void add(std::vector<Token> tokens, std::weak_ptr<kv::ChunkStore> store);
  // Saves what waits now, at most until the deadline.
  void drain(Deadline deadline);

 private:
  static constexpr std::size_t waiting_max = 16;

  struct Waiting {
    std::vector<Token> tokens;
    std::weak_ptr<kv::ChunkStore> store;
  };
  void run();
  void finished_one();
  Result<> save(const Waiting& wanted);

  const WorkerKeeper& keeper_;
  StopSource stop_;
  BoundedQueue<Waiting> waiting_{waiting_max};
  std::mutex mutex_;  // what follows
  std::condition_variable idle_;
  std::size_t unfinished_ = 0;
  Thread thread_;
};

}  // namespace hearth::node
