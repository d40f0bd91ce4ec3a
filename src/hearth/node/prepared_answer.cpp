#include "hearth/node/prepared_answer.h"

#include <utility>

#include "hearth/node/local_model.h"

namespace hearth::node {
namespace {

// Progress that nobody reads in time is left out; the last step always has room.
constexpr std::size_t progress_steps_max = 32;

}  // namespace

PreparedAnswer::PreparedAnswer(LocalModel& model, engine::GenerateRequest request,
                               const StopToken& stop)
    : request_(std::move(request)), stop_too_(stop, [this] { stop_.request_stop(); }),
      steps_(progress_steps_max + 1), thread_("hand_off", [this, &model] { prepare(model); }) {}

PreparedAnswer::~PreparedAnswer() {
  stop_.request_stop();
  thread_.join();
}

void PreparedAnswer::prepare(LocalModel& model) {
  auto prepared = model.prepare(
      request_, began_, [this](std::uint32_t done, std::uint32_t) { tell(done); }, stop_.token());
  (void)steps_.push(Step(std::move(prepared)), Deadline::never());
}

void PreparedAnswer::tell(std::uint32_t tokens_done) {
  if (!held_tokens_) held_tokens_ = tokens_done;
  if (steps_.size() >= progress_steps_max) return;
  engine::PromptProgress progress{.tokens_done = tokens_done,
                                  .tokens_total = static_cast<std::uint32_t>(request_.prompt.size()),
                                  .reused_tokens = *held_tokens_};
  (void)steps_.try_push(Step(progress));
}

Result<engine::JobEvent> PreparedAnswer::next(Deadline deadline) {
  if (answer_) return answer_->next(deadline);
  auto step = steps_.pop(deadline);
  if (!step) return fail(Code::timed_out, "the prompt's KV is still being brought");
  if (const auto* progress = std::get_if<engine::PromptProgress>(&*step)) return engine::JobEvent(*progress);
  auto& prepared = std::get<Prepared>(*step);
  if (!prepared) return engine::JobEvent(std::move(prepared.error()));
  answer_ = *std::move(prepared);
  return answer_->next(deadline);
}

}  // namespace hearth::node
