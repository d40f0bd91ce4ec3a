// Cells for answers that write on beyond what was set aside for them.
#include <algorithm>

#include "hearth/base/check.h"
#include "hearth/engine/scheduler_job.h"

namespace hearth::engine {

// True: a job ended for want of cells.
bool Scheduler::grow_answers() {
  bool ended_one = false;
  for (;;) {
    Job* waiting = nullptr;
    bool others_go_on = false;
    for (const auto& job : running_) {
      if (job->ended) continue;
      const auto grown = grow(*job);
      if (!grown) {
        end(*job, grown.error());
        ended_one = true;
      } else if (*grown) {
        others_go_on = true;
      } else {
        waiting = job.get();  // in the end the youngest
      }
    }
    if (waiting == nullptr || others_go_on) return ended_one;
    finish(*waiting, FinishReason::context_full);
    ended_one = true;
  }
}

// False: the next token of the answer has no cell, and there is none to be had now.
Result<bool> Scheduler::grow(const Job& job) {
  Slot& slot = slots_[*job.slot];
  if (!job.answering || slot.length() < slot.reserved_tokens) return true;
  const std::uint32_t wanted =
      std::min(job.total_tokens, slot.length() + options_.answer_step_tokens);
  const std::uint32_t tokens = std::min(wanted, slots_.length_max(*job.slot));
  if (tokens <= slot.length()) return false;
  const auto evict = slots_.make_room(*job.slot, slot.length(), tokens);
  CHECK(evict.has_value());
  for (const std::size_t victim : *evict) TRY(truncate(victim, 0));
  slot.reserved_tokens = tokens;
  return true;
}

}  // namespace hearth::engine
