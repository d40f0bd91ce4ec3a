// Sequences lent to callers who fill them with KV.
#include <fmt/format.h>

#include <algorithm>

#include "hearth/engine/scheduler_job.h"

namespace hearth::engine {

Result<LeaseInfo> Scheduler::open_lease(std::span<const Token> prompt, Duration keep,
                                        AdapterSetId adapters) {
  expire_leases();
  // With room for the answer's first step: leases that could only be filled would wait for one
  // another.
  const std::uint32_t tokens =
      std::min(static_cast<std::uint32_t>(prompt.size()) + options_.answer_step_tokens,
               engine_.limits().context_tokens);
  const auto placement = slots_.place(prompt, tokens, {}, adapters);
  if (!placement) {
    return fail(Code::resource_exhausted, "every sequence or cell of this worker is in use");
  }
  TRY(prepare_slot(*placement, adapters));
  Slot& slot = slots_[placement->slot];
  slot.lease = LeaseId{next_lease_++};
  slot.lease_keep = keep;
  slot.lease_until = clock_.now() + keep;
  slot.reserved_tokens = tokens;
  return LeaseInfo{*slot.lease, slot.length()};
}

Result<> Scheduler::import_state(LeaseId lease, TokenRange range,
                                 std::span<const Token> tokens, ByteSpan blob, StateOrigin origin) {
  const auto index = slots_.find_lease(lease);
  if (!index) {
    return fail(Code::not_found,
                fmt::format("no lease {}: it was used, closed or expired", lease.value));
  }
  Slot& slot = slots_[*index];
  if (origin.adapters != slot.adapters) {
    ++stats_.states_refused;
    return fail(Code::invalid_argument,
                fmt::format("positions {} to {} were computed with other adapters than those of the lease",
                            range.begin, range.end));
  }
  if (tokens.size() != range.end - range.begin || range.end <= range.begin) {
    return fail(Code::invalid_argument, fmt::format("{} tokens given for positions {} to {}",
                                                    tokens.size(), range.begin, range.end));
  }
  if (range.begin > slot.length()) {
    ++stats_.states_refused;
    return fail(Code::invalid_argument,
                fmt::format("positions {} to {} leave a gap: the sequence holds {} tokens",
                            range.begin, range.end, slot.length()));
  }
  if (range.begin < slot.length()) {
    if (engine_.limits().is_append_only && range.begin > 0) {
      ++stats_.states_refused;
      return fail(Code::invalid_argument,
                  fmt::format("the sequence holds {} tokens and cannot be cut back to {}: this model "
                              "keeps what came last only; begin again at position 0",
                              slot.length(), range.begin));
    }
    TRY(truncate(*index, range.begin));
  }
  const auto room =
      slots_.make_room(*index, slot.length(), std::max(range.end, slot.reserved_tokens));
  if (!room) {
    return fail(Code::resource_exhausted,
                "the cells of this worker are promised to other requests");
  }
  for (const std::size_t victim : *room) TRY(truncate(victim, 0));
  const auto imported = engine_.import_state(slot.sequence, range, blob);
  if (!imported) {
    ++stats_.states_refused;
    return std::unexpected(imported.error());
  }
  slot.is_partial = *imported == model::Completeness::partial;
  if (origin.is_foreign) slot.foreign_from = std::min(slot.foreign_from, range.begin);
  ++stats_.states_imported;
  slot.lease_until = clock_.now() + slot.lease_keep;
  slots_.append(*index, tokens);
  slot.reserved_tokens = std::max(slot.reserved_tokens, slot.length());
  slots_.touch(*index);
  return {};
}

void Scheduler::close_lease(LeaseId lease) {
  if (const auto index = slots_.find_lease(lease); index && !slots_[*index].busy) {
    slots_[*index].lease.reset();
    slots_[*index].reserved_tokens = 0;
  }
}

void Scheduler::expire_leases() {
  const Instant now = clock_.now();
  for (Slot& slot : slots_.slots()) {
    if (slot.lease && !slot.busy && slot.lease_until <= now) {
      slot.lease.reset();
      slot.reserved_tokens = 0;
    }
  }
}

}  // namespace hearth::engine
