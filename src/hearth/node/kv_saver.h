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

struct HeldKv {
  std::vector<Token> tokens;
  std::string adapter;  // the adapter set that computed it
  std::weak_ptr<kv::ChunkStore> store;
  std::optional<KvPin> pin{};
  std::string user{};   // whose it is (GenerateRequest::kv_user)
};

// Whatever of `tokens` the store has is `user`'s, too: it can be forgotten with all else of that name. No layout, or
// no user: nothing is done.
void note_user(kv::ChunkStore& store, const std::optional<model::LayoutDigest>& layout, std::span<const Token> tokens,
               std::string_view user);

class KvSaver {
 public:
  // `keeper` outlives this.
  explicit KvSaver(const WorkerKeeper& keeper);
  // Saves no more of what waits.
  ~KvSaver();

  // The worker holds the KV of a beginning of its tokens. Never waits; dropped when too much waits, or
  // when the store is gone by then (a vault that was locked).
  void add(HeldKv held);
  // Saves what waits now, at most until the deadline.
  void drain(Deadline deadline);

 private:
  static constexpr std::size_t waiting_max = 16;

  // Where from, and where to.
  struct Ends {
    const KeptWorker& worker;
    kv::ChunkStore& store;
    const std::string& adapter;
    model::LayoutDigest layout;
  };

  void run();
  void finished_one();
  Result<> save(const HeldKv& finished);
  Result<> fetch(const std::vector<Token>& tokens, const Ends& ends);
  Result<> fetch_pinned(std::span<const Token> prompt, const HeldKv& finished, const Ends& ends);
  // `keys` are those of `prompt`, which begin at `begins`; from the first that the store lacks.
  Result<> fetch_missing(std::span<const Token> prompt, const std::vector<model::ChunkKey>& keys,
                         const std::vector<std::uint32_t>& begins, const model::ChunkKey& first_missing, const Ends& ends);
  static Result<> pin(const std::vector<model::ChunkKey>& keys, const std::string& owner, kv::ChunkStore& store);
  static Result<> put_all(ChunkSource& source, kv::ChunkStore& store);

  const WorkerKeeper& keeper_;
  StopSource stop_;
  BoundedQueue<HeldKv> waiting_{waiting_max};
  std::mutex mutex_;  // what follows
  std::condition_variable idle_;
  std::size_t unfinished_ = 0;
  Thread thread_;
};

}  // namespace hearth::node
