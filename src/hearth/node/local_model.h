#pragma once
// A model on this machine as a ModelService: a worker that is started again when it dies, and the
// chunk store that lets conversations outlive it.
//
// A prompt goes: longest stored prefix, imported into the worker if it reaches further than what
// the worker holds; what a prefiller computes for us, if there is one; then generation. What the
// answer computed is saved behind its back (kv_saver.h).

#include <atomic>
#include <memory>
#include <optional>

#include "hearth/engine/model_service.h"
#include "hearth/kv/store.h"
#include "hearth/node/hand_off.h"
#include "hearth/node/kv_saver.h"
#include "hearth/node/saved_answer.h"
#include "hearth/node/sealed_store.h"
#include "hearth/node/worker/worker_keeper.h"

namespace hearth::node {

struct LocalModelOptions {
  KeeperOptions keeper;
  std::filesystem::path store_directory;  // empty: nothing is kept
  std::uint64_t store_memory_bytes_max = 1ull << 30;
  std::uint64_t store_disk_bytes_max = 20ull << 30;
  // A request that meets a worker being started again waits so long before it is turned away.
  Duration ready_wait = std::chrono::seconds(20);
  Duration flush_wait = std::chrono::seconds(30);  // at the end, for what is not yet on disk
  // Where the KV of sealed prompts is kept; without it, and while the vault is locked, it is not kept at
  // all. Outlives the model.
  SealedStore* sealed_store = nullptr;
};

class LocalModel final : public engine::ModelService {
 public:
  // Waits until the model is loaded.
  static Result<std::unique_ptr<LocalModel>> start(LocalModelOptions options,
                                                   WorkerKeeper::Progress progress,
                                                   const StopToken& stop);
  // Saves what it can within flush_wait. Every AnswerStream is gone before.
  ~LocalModel() override;

  engine::ModelFacts facts() const override { return facts_; }
  bool is_ready() const override { return keeper_->current() != nullptr; }
  std::optional<engine::ModelStall> stall() const override;
  Result<std::vector<Token>> tokenize(std::string_view text, bool special,
                                      const StopToken& stop) override;
  Result<std::unique_ptr<engine::AnswerStream>> generate(engine::GenerateRequest request,
                                                         const StopToken& stop) override;
  Result<> unpin(std::string_view owner) override;
  Result<engine::KvForgotten> forget(std::string_view user) override;

  WorkerKeeper& keeper() { return *keeper_; }
  kv::ChunkStore* store() { return store_.get(); }  // nullptr: nothing is kept
  const std::filesystem::path& store_directory() const { return options_.store_directory; }
  // Who computes prompts for this model's worker when it is worth it. Before the first answer;
  // outlives this.
  void set_prefiller(Prefiller* prefiller) { prefiller_ = prefiller; }
  // A new worker, if this one has computed sealed prompts: their KV lies in its memory. For when the
  // vault is locked. Answers that run are computed again.
  void forget_sealed();
  // Waits until the KV of finished answers is on disk, at most until the deadline.
  Result<> flush(Deadline deadline);

 private:
  explicit LocalModel(LocalModelOptions options);
  // Calls `use` with a living worker; once more with the next one if that one turns out dead.
  template <class Use>
  auto with_worker(const StopToken& stop, Use use)
      -> decltype(use(std::declval<const KeptWorker&>()));
  friend class PreparedAnswer;
  // nullptr: nothing of it is kept.
  std::shared_ptr<kv::ChunkStore> store_for(const engine::GenerateRequest& request) const;
  bool needs_hand_off(const engine::GenerateRequest& request) const;
  // Brings KV in first.
  Result<std::unique_ptr<engine::AnswerStream>> prepare(const engine::GenerateRequest& request,
                                                        Instant began,
                                                        const HandOffProgress& progress,
                                                        const StopToken& stop);
  Result<std::unique_ptr<engine::AnswerStream>> generate_on(const KeptWorker& worker,
                                                            const engine::GenerateRequest& request,
                                                            Preparation preparation,
                                                            const StopToken& stop);

  const LocalModelOptions options_;
  const std::unique_ptr<FileSystem> files_;
  const SteadyClock clock_;
  const std::unique_ptr<net::HttpClient> http_;
  std::shared_ptr<kv::ChunkStore> store_;
  std::unique_ptr<WorkerKeeper> keeper_;
  std::unique_ptr<KvSaver> saver_;
  Prefiller* prefiller_ = nullptr;
  std::atomic<std::uint64_t> last_request_ = 0;
  AnswerCounts counts_;
  std::atomic<bool> has_sealed_kv_ = false;
  engine::ModelFacts facts_;
};

}  // namespace hearth::node
