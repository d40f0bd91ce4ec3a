#include "hearth/node/saved_answer.h"

#include <algorithm>
#include <utility>

namespace hearth::node {

SavedAnswer::SavedAnswer(std::unique_ptr<Generation> generation, const engine::GenerateRequest& request,
                         SavedAnswerParts parts)
    : generation_(std::move(generation)), tokens_(request.prompt), adapter_(request.adapter),
      pin_{request.pin_owner, request.prompt.size()}, user_(request.kv_user), parts_(std::move(parts)) {}

SavedAnswer::~SavedAnswer() {
  generation_.reset();  // a cancelled answer frees its sequence first
  if (has_token_ && parts_.counts != nullptr) --parts_.counts->being_written;
  const std::uint64_t request = parts_.preparation.request;
  if (!has_token_ && request != 0 && parts_.prefiller != nullptr) parts_.prefiller->on_left(request);
  save();
}

Result<engine::JobEvent> SavedAnswer::next(Deadline deadline) {
  auto event = TRY(generation_->next(deadline));
  const std::uint32_t computed = parts_.preparation.computed();
  if (const auto* token = std::get_if<engine::TokenDone>(&event)) {
    tokens_.push_back(token->token);
    if (!std::exchange(has_token_, true)) on_first_token();
  } else if (auto* progress = std::get_if<engine::PromptProgress>(&event)) {
    progress->reused_tokens -= std::min(progress->reused_tokens, computed);
  } else if (auto* prompt = std::get_if<engine::PromptDone>(&event)) {
    is_prompt_done_ = true;
    // A long prompt is worth keeping before its answer is complete.
    if (prompt->computed_tokens >= parts_.chunk_tokens) save();
    prompt_ = *prompt;
    prompt_done_at_ = std::chrono::steady_clock::now();
    // The worker found it in its sequence, but it was not there before this request.
    const std::uint32_t before = std::min(prompt->reused_tokens, computed);
    prompt->reused_tokens -= before;
    prompt->computed_tokens += before;
  }
  return event;
}

// While its prompt was computed; nothing: that changed.
std::optional<std::uint32_t> SavedAnswer::answers_beside() const {
  const Preparation& before = parts_.preparation;
  if (parts_.counts == nullptr || before.computed_elsewhere > 0) return {};  // that took its time, too
  const bool had_none = before.answers_beside == 0 && parts_.counts->begun == before.answers_begun;
  const bool had_some = before.answers_beside > 0 && parts_.counts->being_written > 0;
  return had_none || had_some ? std::optional(before.answers_beside) : std::nullopt;
}

void SavedAnswer::on_first_token() {
  const auto beside = answers_beside();
  if (parts_.counts != nullptr) {
    ++parts_.counts->being_written;
    ++parts_.counts->begun;
  }
  const Preparation& before = parts_.preparation;
  if (before.request == 0 || parts_.prefiller == nullptr) return;
  const std::uint32_t here = std::min(prompt_.reused_tokens, before.computed_here);
  // All but the last token was held or came from elsewhere: that one is the first step of the answer.
  const bool was_last_alone = prompt_.computed_tokens + here == 0;
  const Instant now = std::chrono::steady_clock::now();
  parts_.prefiller->on_first_token({.request = before.request,
                                    .since_request = now - before.began,
                                    .computed_tokens = prompt_.computed_tokens + here,
                                    .depth_tokens = prompt_.reused_tokens - here,
                                    .prefill = prompt_.prefill + before.prefill_here,
                                    .last_step = was_last_alone ? now - prompt_done_at_ : Duration::zero(),
                                    .answers_beside = beside});
}

void SavedAnswer::save() const {
  const bool pins = is_prompt_done_ && !pin_.owner.empty();
  if (parts_.saver == nullptr || (tokens_.size() < parts_.chunk_tokens && !pins)) return;
  parts_.saver->add({.tokens = tokens_, .adapter = adapter_, .store = parts_.store,
                     .pin = pins ? std::optional(pin_) : std::nullopt, .user = user_});
}

}  // namespace hearth::node
