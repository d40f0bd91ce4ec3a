// What a decoded batch, or a failed one, means for its jobs.
#include <algorithm>

#include "hearth/engine/logprobs.h"
#include "hearth/engine/scheduler_job.h"

namespace hearth::engine {

void Scheduler::after_decode(const std::vector<BatchItem>& batch, Duration took) {
  std::uint32_t prompt_tokens = 0;
  for (const auto& job : running_) {
    if (job->batch_count == 0) continue;
    if (job->answering) {
      advance_answer(*job);
    } else {
      prompt_tokens += job->batch_count;
      advance_prompt(*job, job->batch_count);
    }
  }
  if (prompt_tokens >= options_.slice_tokens_min && 2 * prompt_tokens >= batch.size()) {
    learn_prompt_rate(prompt_tokens, took);
  }
}

// Of the slice just decoded, before it counts as held.
void Scheduler::tell_logits(Job& job, std::uint32_t count) {
  const std::uint32_t begin = slots_[*job.slot].length();
  const std::uint32_t first = std::max(begin, *job.score_from);
  if (first >= begin + count) return;
  LogitsDone done{.first = first + 1, .rows = {}};
  done.rows.reserve(std::size_t{begin + count - first} * engine_.limits().vocabulary);
  for (std::uint32_t i = 0; i < begin + count - first; ++i) {
    const std::span<const float> row = engine_.logits(job.logits_index + i);
    done.rows.insert(done.rows.end(), row.begin(), row.end());
  }
  job.sink->push(std::move(done));
}

void Scheduler::advance_prompt(Job& job, std::uint32_t count) {
  if (job.score_from) tell_logits(job, count);
  const Slot& slot = slots_[*job.slot];
  slots_.append(*job.slot, std::span(job.prompt).subspan(slot.length(), count));
  stats_.prompt_tokens_computed += count;
  tell_progress(job);
  if (slot.length() == job.prompt_target()) prompt_done(job);
}

void Scheduler::tell_progress(Job& job) {
  job.sink->push(
      PromptProgress{slots_[*job.slot].length(), job.prompt_target(), job.reused_tokens});
}

void Scheduler::prompt_done(Job& job) {
  job.sink->push(PromptDone{job.prompt_tokens(), job.reused_tokens,
                            job.prompt_target() - job.reused_tokens, job.started - job.submitted,
                            clock_.now() - job.started, slots_[*job.slot].foreign_tokens()});
  if (job.generate) {
    job.answering = true;
    job.next_token = job.prompt.back();
  } else if (!job.export_from || job.exported_to == job.prompt_tokens()) {
    finish(job, FinishReason::prefilled);
  }
}

void Scheduler::advance_answer(Job& job) {
  slots_.append(*job.slot, std::span(&job.next_token, 1));
  const std::span<const float> logits = engine_.logits(job.logits_index);
  const auto sampled = job.sampler->sample(logits);
  if (!sampled) {
    end(job, sampled.error());
    return;
  }
  const Instant now = clock_.now();
  if (job.answer_tokens == 0) job.first_token = now;
  job.last_token = now;
  if (!job.generate->ignore_eos && engine_.is_end_of_generation(*sampled)) {
    finish(job, FinishReason::end_of_generation);
    return;
  }
  TokenDone done;
  done.token = *sampled;
  done.text = job.text.add(engine_.token_text(*sampled, /*special=*/true));
  if (job.generate->logprobs > 0) add_logprobs(done, engine_, logits, job.generate->logprobs);
  if (job.answer_tokens == 0 && job.generate->first_logits) {
    done.first_logits.assign(logits.begin(), logits.end());
  }
  ++job.answer_tokens;
  ++stats_.answer_tokens;
  job.next_token = *sampled;
  job.sink->push(std::move(done));
  if (job.text.stopped()) {
    finish(job, FinishReason::stop_string);
  } else if (job.answer_tokens == job.answer_tokens_max) {
    finish(job, job.answer_tokens == job.generate->tokens_max ? FinishReason::token_limit
                                                              : FinishReason::context_full);
  }
}

void Scheduler::recover(const Error& error) {
  std::vector<Job*> in_batch;
  for (const auto& job : running_) {
    if (job->batch_count > 0) in_batch.push_back(job.get());
  }
  bool evicted = false;
  if (error.code == Code::resource_exhausted) {
    for (std::size_t i = 0; i < slots_.slots().size(); ++i) {
      if (!slots_[i].idle() || slots_[i].tokens.empty()) continue;
      evicted = truncate(i, 0).has_value() || evicted;
    }
  }
  const bool retry = error.code == Code::cancelled || evicted;
  // A batch that was too large may fit with one job less.
  const bool ends_one = !retry && error.code == Code::resource_exhausted;
  for (Job* job : in_batch) {
    const Slot& slot = slots_[*job->slot];
    // A batch that found no cells changed nothing. Of any other an append-only sequence may have taken
    // a part, which cannot be taken back.
    const bool is_spoilt = engine_.limits().is_append_only && error.code != Code::resource_exhausted;
    const bool repaired =
        !is_spoilt && engine_.truncate(slot.sequence, slot.length()).has_value();
    if (!repaired) (void)truncate(*job->slot, 0);
    const bool goes_on = retry || (ends_one && job != in_batch.back());
    if (!goes_on || !repaired) end(*job, error);
  }
}

}  // namespace hearth::engine
