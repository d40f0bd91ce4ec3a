#pragma once
// The answer of a worker, passed on event by event; its tokens are noted, so that their KV can be saved when
// it has ended, however it ended. One thread's, as every AnswerStream.

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hearth/engine/model_service.h"
#include "hearth/node/kv_saver.h"
#include "hearth/node/prefiller.h"
#include "hearth/node/worker/worker_client.h"

namespace hearth::node {

// What was done for a prompt before its worker was asked for the answer.
struct Preparation {
  std::uint32_t computed_elsewhere = 0;  // tokens, by the prefiller
  std::uint32_t computed_here = 0;       // tokens, by our worker
  Duration prefill_here{};               // how long those took
  std::uint32_t computed() const { return computed_elsewhere + computed_here; }
  std::uint64_t request = 0;             // the prefiller's name for it; 0: it was not asked
  Instant began{};
  std::uint32_t answers_beside = 0;      // that were being written then
  std::uint64_t answers_begun = 0;       // by then, ever
  std::optional<model::HandOffFacts> hand_off;
};

// Of one model.
struct AnswerCounts {
  std::atomic<std::uint32_t> being_written = 0;  // each from its first token until its stream is gone
  std::atomic<std::uint64_t> begun = 0;
};

// What it points to outlives the answer; nullptr: nothing is saved, nobody is told, it is not counted.
struct SavedAnswerParts {
  KvSaver* saver = nullptr;
  Prefiller* prefiller = nullptr;
  std::weak_ptr<kv::ChunkStore> store;
  Preparation preparation;
  std::uint32_t chunk_tokens = 0;
  AnswerCounts* counts = nullptr;
};

class SavedAnswer final : public engine::AnswerStream {
 public:
  SavedAnswer(std::unique_ptr<Generation> generation, const engine::GenerateRequest& request, SavedAnswerParts parts);
  ~SavedAnswer() override;

  Result<engine::JobEvent> next(Deadline deadline) override;
  const model::HandOffFacts* hand_off() const override {
    return parts_.preparation.hand_off ? &*parts_.preparation.hand_off : nullptr;
  }

 private:
  void on_first_token();
  std::optional<std::uint32_t> answers_beside() const;
  void save() const;

  std::unique_ptr<Generation> generation_;
  std::vector<Token> tokens_;
  const std::string adapter_;
  const KvPin pin_;
  const std::string user_;
  const SavedAnswerParts parts_;
  engine::PromptDone prompt_;
  Instant prompt_done_at_{};
  bool is_prompt_done_ = false;
  bool has_token_ = false;
};

}  // namespace hearth::node
