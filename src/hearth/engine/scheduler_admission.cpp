// From the queue into a sequence.
#include <fmt/format.h>

#include <algorithm>

#include "hearth/engine/scheduler_job.h"

namespace hearth::engine {

void Scheduler::admit() {
  while (!pending_.empty()) {
    Job& job = *pending_.front();
    const auto started = start(job);
    if (started && !*started) return;  // no room yet: first come, first served
    if (!started) end(job, started.error());
    if (!job.ended) running_.push_back(std::move(pending_.front()));
    pending_.pop_front();
  }
}

// False: there is no sequence or no room for it now.
Result<bool> Scheduler::start(Job& job) {
  std::optional<Placement> placement;
  if (job.lease) {
    const auto index = slots_.find_lease(*job.lease);
    if (!index) {
      return fail(Code::not_found,
                  fmt::format("no lease {}: it was used, closed or expired", job.lease->value));
    }
    auto evict = slots_.make_room(*index, job.total_tokens);
    if (!evict) return false;
    placement = Placement{*index, common_prefix(slots_[*index].tokens, job.prompt), {},
                          std::move(*evict)};
  } else {
    placement = slots_.place(job.prompt, job.total_tokens);
    if (!placement) return false;
  }
  placement->keep_tokens = std::min(placement->keep_tokens, job.prompt_target());
  TRY(prepare_slot(*placement));
  Slot& slot = slots_[placement->slot];
  slot.busy = true;
  slot.lease.reset();
  slot.reserved_tokens = job.total_tokens;
  job.slot = placement->slot;
  job.started = clock_.now();
  job.reused_tokens = slot.length();
  stats_.prompt_tokens_reused += slot.length();
  ++stats_.jobs_started;
  if (slot.length() == job.prompt_target()) prompt_done(job);
  return true;
}

Result<> Scheduler::prepare_slot(const Placement& placement) {
  for (const std::size_t victim : placement.evict) {
    TRY(engine_.truncate(slots_[victim].sequence, 0));
    slots_[victim].tokens.clear();
  }
  Slot& slot = slots_[placement.slot];
  const std::uint32_t keep = placement.share_from ? 0 : placement.keep_tokens;
  TRY(engine_.truncate(slot.sequence, keep));
  slot.tokens.resize(keep);
  if (placement.share_from) {
    const Slot& source = slots_[*placement.share_from];
    TRY(engine_.share_prefix(source.sequence, slot.sequence, placement.keep_tokens));
    slot.tokens.assign(source.tokens.begin(), source.tokens.begin() + placement.keep_tokens);
  }
  slots_.touch(placement.slot);
  return {};
}

}  // namespace hearth::engine
