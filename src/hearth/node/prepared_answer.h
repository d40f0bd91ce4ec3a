#pragma once
// An answer whose KV is brought in before it begins: from the store, or from a peer that computes
// it, which may take minutes. That happens on a thread of its own ("hand_off"), so that whoever
// reads the answer hears of progress, and can leave.

#include <memory>
#include <optional>
#include <variant>

#include "hearth/base/bounded_queue.h"
#include "hearth/base/stop.h"
#include "hearth/base/thread.h"
#include "hearth/engine/model_service.h"

namespace hearth::node {

class LocalModel;

class PreparedAnswer final : public engine::AnswerStream {
 public:
  // `model` outlives this.
  PreparedAnswer(LocalModel& model, engine::GenerateRequest request, const StopToken& stop);
  // Cancels what is being done and waits for it.
  ~PreparedAnswer() override;

  Result<engine::JobEvent> next(Deadline deadline) override;
  const model::HandOffFacts* hand_off() const override { return answer_ ? answer_->hand_off() : nullptr; }

 private:
  using Prepared = Result<std::unique_ptr<engine::AnswerStream>>;
  using Step = std::variant<engine::PromptProgress, Prepared>;

  void prepare(LocalModel& model);
  void tell(std::uint32_t tokens_done);

  const engine::GenerateRequest request_;
  const Instant began_ = std::chrono::steady_clock::now();
  StopSource stop_;
  const StopCallback stop_too_;
  BoundedQueue<Step> steps_;
  std::optional<std::uint32_t> held_tokens_;  // before anything was brought; the thread's
  std::unique_ptr<engine::AnswerStream> answer_;
  Thread thread_;
};

}  // namespace hearth::node
