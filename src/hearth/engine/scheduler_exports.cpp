// KV that leaves: piece by piece while a prompt is computed, or from what is held.
#include <algorithm>

#include "hearth/engine/scheduler_job.h"

namespace hearth::engine {

// Of the next piece.
std::uint32_t Scheduler::export_end(const Job& job) const {
  const std::uint32_t chunk_end = (job.exported_to / options_.chunk_tokens + 1) * options_.chunk_tokens;
  return std::min(chunk_end, job.prompt_tokens());
}

void Scheduler::export_piece(Job& job) {
  const Slot& slot = slots_[*job.slot];
  const std::uint32_t begin = job.exported_to;
  const std::uint32_t end = export_end(job);
  if (begin == end || end > slot.length()) return;
  const Instant started = clock_.now();
  const TokenRange range{begin, end};
  const bool is_resume_point = end == job.prompt_tokens() ||
                               end % (options_.resume_every_chunks * options_.chunk_tokens) == 0;
  const bool is_partial = engine_.limits().has_recurrent_state && !is_resume_point;
  auto blob = engine_.export_state(
      slot.sequence, range, is_partial ? model::Completeness::partial : model::Completeness::whole);
  if (!blob) {
    this->end(job, blob.error());
    return;
  }
  job.exported_to = end;
  ++stats_.states_exported;
  job.sink->push(StateDone{range, is_partial, std::move(*blob), clock_.now() - started});
  if (job.exported_to == job.prompt_tokens()) finish(job, FinishReason::prefilled);
}

Result<std::optional<StateDone>> Scheduler::export_held(std::span<const Token> tokens,
                                                        TokenRange range, AdapterSetId adapters) {
  for (const Slot& slot : slots_.slots()) {
    if (slot.adapters != adapters) continue;
    if (common_prefix(slot.tokens, tokens) < range.end || slot.is_partial) continue;
    if (range.end > slot.foreign_from) continue;
    if (engine_.limits().is_append_only && slot.length() != range.end) continue;
    const Instant started = clock_.now();
    auto blob = TRY(engine_.export_state(slot.sequence, range, model::Completeness::whole));
    ++stats_.states_exported;
    return StateDone{range, /*is_partial=*/false, std::move(blob), clock_.now() - started};
  }
  return std::nullopt;
}

}  // namespace hearth::engine
