// What the next batch holds: a token of every answer, then slices of prompts.
#include <algorithm>

#include "hearth/engine/scheduler_job.h"

namespace hearth::engine {
namespace {

// Every so many prompt slices the oldest prompt is served instead of the shortest.
constexpr std::uint64_t oldest_first_every = 4;
constexpr double prompt_rate_smoothing = 0.3;

}  // namespace

// Of the set whose turn it is; of the next one that has work when it has none, or has had its steps.
std::vector<BatchItem> Scheduler::next_batch() {
  const std::uint32_t sets = engine_.limits().adapter_sets + 1;
  const bool is_over = steps_with_adapters_ >= options_.steps_per_adapter_set;
  for (std::uint32_t i = is_over ? 1 : 0; i <= sets; ++i) {
    const AdapterSetId candidate{(adapters_.value + i) % sets};
    std::vector<BatchItem> batch = build_batch(candidate);
    if (batch.empty()) continue;
    steps_with_adapters_ = i == 0 ? steps_with_adapters_ + 1 : 1;
    adapters_ = candidate;
    return batch;
  }
  return {};
}

bool Scheduler::can_write(const Job& job) const {
  if (!job.answering || job.ended || !job.sink->has_room()) return false;
  const Slot& slot = slots_.slots()[*job.slot];
  return slot.length() < slot.reserved_tokens;  // else it waits for cells
}

std::vector<BatchItem> Scheduler::build_batch(AdapterSetId adapters) {
  std::vector<BatchItem> batch;
  for (const auto& job : running_) {
    job->batch_count = 0;
    if (job->adapters != adapters || !can_write(*job)) continue;
    const Slot& slot = slots_[*job->slot];
    job->batch_count = 1;
    job->logits_index = batch.size();
    batch.push_back({job->next_token, slot.length(), slot.sequence, /*wants_logits=*/true});
  }
  add_prompt_slices(batch, adapters);
  return batch;
}

void Scheduler::add_prompt_slices(std::vector<BatchItem>& batch, AdapterSetId adapters) {
  std::vector<Job*> reading;
  bool answers_running = false;  // with whatever adapters: a slice delays them all
  for (const auto& job : running_) {
    answers_running = answers_running || can_write(*job);
    if (job->adapters != adapters || (job->score_from && !job->sink->has_room())) continue;
    if (job->is_reading(slots_[*job->slot])) reading.push_back(job.get());
  }
  const bool oldest_first = stats_.prompt_tokens_computed / options_.chunk_tokens %
                                oldest_first_every == oldest_first_every - 1;
  if (!oldest_first) {
    std::ranges::stable_sort(reading, {}, [&](const Job* job) {
      return job->prompt_target() - slots_[*job->slot].length();
    });
  }
  std::uint32_t budget = slice_budget(answers_running);
  std::uint32_t score_rows = engine_.limits().score_rows;  // of all texts that are scored
  for (Job* job : reading) {
    const Slot& slot = slots_[*job->slot];
    const std::uint32_t begin = slot.length();
    std::uint32_t end = slice_end(*job, begin, budget, score_rows);
    // What is not exported at its end is lost with the next token.
    if (engine_.limits().is_append_only && job->export_from) {
      end = std::max(begin, std::min(end, export_end(*job)));
    }
    if (job->score_from) score_rows -= end - std::min(end, std::max(begin, *job->score_from));
    for (std::uint32_t position = begin; position < end; ++position) {
      const bool wants_logits = job->score_from && position >= *job->score_from;
      if (wants_logits && position == std::max(begin, *job->score_from)) job->logits_index = batch.size();
      batch.push_back({job->prompt[position], position, slot.sequence, wants_logits});
    }
    job->batch_count = end - begin;
    budget -= job->batch_count;
    if (budget == 0) return;
  }
}

std::uint32_t Scheduler::slice_end(const Job& job, std::uint32_t begin, std::uint32_t budget,
                                   std::uint32_t score_rows) const {
  const std::uint32_t chunk_end = (begin / options_.chunk_tokens + 1) * options_.chunk_tokens;
  const std::uint32_t end = std::min({chunk_end, job.prompt_target(), begin + budget});
  if (!job.score_from) return end;
  return std::min(end, std::max(begin, *job.score_from) + score_rows);
}

std::uint32_t Scheduler::slice_budget(bool answers_running) const {
  const std::uint32_t most = engine_.limits().batch_tokens;
  if (!answers_running) return most;
  const double rate_based = prompt_tok_s_ * seconds(options_.stream_delay_max);
  const auto wanted = std::max(static_cast<std::uint32_t>(std::min<double>(rate_based, most)), options_.slice_tokens_min);
  const std::uint32_t rounded = wanted / options_.slice_tokens_min * options_.slice_tokens_min;
  // One token of every answer goes with it.
  return std::min(rounded, std::max(most, engine_.limits().sequences + 1) - engine_.limits().sequences);
}

StopToken Scheduler::lone_stop() const {
  const Job* lone = nullptr;
  for (const auto& job : running_) {
    if (job->batch_count == 0) continue;
    if (lone != nullptr) return {};
    lone = job.get();
  }
  return lone != nullptr ? lone->stop : StopToken();
}

void Scheduler::learn_prompt_rate(std::uint32_t tokens, Duration took) {
  const double rate = tokens / std::max(seconds(took), 1e-9);
  prompt_tok_s_ = prompt_tok_s_ == 0
                      ? rate
                      : prompt_tok_s_ + prompt_rate_smoothing * (rate - prompt_tok_s_);
}

}  // namespace hearth::engine
