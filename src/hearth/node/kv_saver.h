#pragma once
// Brings the KV of finished answers from the worker into the chunk store, behind the answers' back:
// a conversation then survives the worker, and a restart of everything. One thread ("kv_save").
//
// Best effort: what the worker no longer holds, or what the store refuses, is computed again one day.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/bounded_queue.h"
#include "hearth/base/stop.h"
#include "hearth/base/thread.h"
#include "hearth/kv/store.h"
#include "hearth/node/chunk_source.h"
#include "hearth/node/worker/worker_keeper.h"

namespace hearth::node {

// What the store must keep: the first `prompt_tokens`, in whole chunks and then in pieces, so that
// whoever begins with them computes a few tokens only.
inline constexpr std::uint32_t pinned_piece_tokens = 64;
struct KvPin {
  std::string owner;
  std::size_t prompt_tokens = 0;
};

class KvSaver {
 public:
  // `keeper` outlives this.
  explicit KvSaver(const WorkerKeeper& keeper);
  // Saves no more of what waits.
  ~KvSaver();

  // The worker holds the KV of a beginning of `tokens`. Never waits; dropped when too much waits, or
  // when the store is gone by then (a vault that was locked).
  void add(std::vector<Token> tokens, std::weak_ptr<kv::ChunkStore> store, std::optional<KvPin> pin = {});
  // Saves what waits now, at most until the deadline.
  void drain(Deadline deadline);

 private:
  static constexpr std::size_t waiting_max = 16;

  struct Finished {
    std::vector<Token> tokens;
    std::weak_ptr<kv::ChunkStore> store;
    std::optional<KvPin> pin;
  };
  // Where from, and where to.
  struct Ends {
    const KeptWorker& worker;
    kv::ChunkStore& store;
  };

  void run();
  void finished_one();
  Result<> save(const Finished& finished);
  Result<> fetch(const std::vector<Token>& tokens, const Ends& ends);
  Result<> fetch_pinned(std::span<const Token> prompt, const std::string& owner, const Ends& ends);
  static Result<> pin(const std::vector<model::ChunkKey>& keys, const std::string& owner, kv::ChunkStore& store);
  static Result<> put_all(ChunkSource& source, kv::ChunkStore& store);

  const WorkerKeeper& keeper_;
  StopSource stop_;
  BoundedQueue<Finished> waiting_{waiting_max};
  std::mutex mutex_;  // what follows
  std::condition_variable idle_;
  std::size_t unfinished_ = 0;
  Thread thread_;
};

}  // namespace hearth::node
