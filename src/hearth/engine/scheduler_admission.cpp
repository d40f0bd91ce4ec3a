// From the queue into a sequence.
#include <fmt/format.h>

#include <algorithm>

#include "hearth/engine/scheduler_job.h"

namespace hearth::engine {

// First come, first served; but a lease is a place already, and its holder does not wait behind
// those who wait for one: they may be waiting for his.
void Scheduler::admit() {
  bool is_full = false;
  std::erase_if(pending_, [&](std::unique_ptr<Job>& job) {
    if (is_full && !job->lease) return false;
    const auto started = start(*job);
    if (started && !*started) {
      is_full = true;
      return false;
    }
    if (!started) end(*job, started.error());
    if (!job->ended) running_.push_back(std::move(job));
    return true;
  });
}

// False: there is no sequence or no room for it now.
Result<bool> Scheduler::start(Job& job) {
  const auto prompt = std::span<const Token>(job.prompt).first(job.reusable_tokens());
  const std::uint32_t tokens =
      std::min(job.total_tokens, job.prompt_tokens() + options_.answer_step_tokens);
  std::optional<std::uint32_t> first_export_end;
  if (job.export_from) first_export_end = export_end(job);
  std::optional<Placement> placement;
  if (job.lease) {
    const auto index = slots_.find_lease(*job.lease);
    if (!index) {
      return fail(Code::not_found,
                  fmt::format("no lease {}: it was used, closed or expired", job.lease->value));
    }
    const std::uint32_t keep = slots_.usable_prefix(*index, prompt, first_export_end, job.adapters);
    auto evict = slots_.make_room(*index, keep, tokens);
    if (!evict) return false;
    placement = Placement{*index, keep, {}, std::move(*evict)};
  } else {
    placement = slots_.place(prompt, tokens, first_export_end, job.adapters);
    if (!placement) return false;
  }
  TRY(prepare_slot(*placement, job.adapters));
  Slot& slot = slots_[placement->slot];
  slot.busy = true;
  slot.lease.reset();
  slot.reserved_tokens = tokens;
  job.slot = placement->slot;
  job.started = clock_.now();
  job.reused_tokens = slot.length();
  stats_.prompt_tokens_reused += slot.length();
  ++stats_.jobs_started;
  tell_progress(job);
  if (slot.length() == job.prompt_target()) prompt_done(job);
  return true;
}

Result<> Scheduler::prepare_slot(const Placement& placement, AdapterSetId adapters) {
  TRY(truncate(placement.slot, placement.share_from ? 0 : placement.keep_tokens));
  if (placement.share_from) {
    TRY(engine_.share_prefix(slots_[*placement.share_from].sequence,
                             slots_[placement.slot].sequence, placement.keep_tokens));
    slots_.share(*placement.share_from, placement.slot, placement.keep_tokens);
  }
  for (const std::size_t victim : placement.evict) TRY(truncate(victim, 0));
  slots_[placement.slot].adapters = adapters;
  slots_.touch(placement.slot);
  return {};
}

Result<> Scheduler::truncate(std::size_t slot, std::uint32_t length) {
  TRY(engine_.truncate(slots_[slot].sequence, length));
  slots_.truncate(slot, length);
  return {};
}

}  // namespace hearth::engine
