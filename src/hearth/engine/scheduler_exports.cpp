// KV that leaves: piece by piece while a prompt is computed, or from what is held.
#include <algorithm>

#include "hearth/engine/scheduler_job.h"

namespace hearth::engine {

void Scheduler::export_piece(Job& job) {
  const Slot& slot = slots_[*job.slot];
  const std::uint32_t begin = job.exported_to;
  const std::uint32_t chunk_end = (begin / options_.chunk_tokens + 1) * options_.chunk_tokens;
  const std::uint32_t end = std::min(chunk_end, job.prompt_tokens());
  if (begin == end || end > slot.length()) return;
  const Instant started = clock_.now();
  const TokenRange range{begin, end};
  auto blob = engine_.export_state(slot.sequence, range);
  if (!blob) {
    this->end(job, blob.error());
    return;
  }
  job.exported_to = end;
  ++stats_.states_exported;
  job.sink->push(StateDone{range, std::move(*blob), clock_.now() - started});
  if (job.exported_to == job.prompt_tokens()) finish(job, FinishReason::prefilled);
}

Result<std::optional<StateDone>> Scheduler::export_held(std::span<const Token> tokens,
                                                        TokenRange range) {
  for (const Slot& slot : slots_.slots()) {
    if (common_prefix(slot.tokens, tokens) < range.end) continue;
    const Instant started = clock_.now();
    auto blob = TRY(engine_.export_state(slot.sequence, range));
    ++stats_.states_exported;
    return StateDone{range, std::move(blob), clock_.now() - started};
  }
  return std::nullopt;
}

}  // namespace hearth::engine
