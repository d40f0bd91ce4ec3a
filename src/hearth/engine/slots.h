#pragma once
// The ledger of sequences: which tokens each one holds, who uses it, and which one a new prompt
// should continue from. Pure bookkeeping; it tells what to do and the scheduler makes the engine
// do it. libllama itself reports neither holes nor duplicates, so this ledger is the truth.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/engine/cell_ledger.h"
#include "hearth/engine/engine.h"
#include "hearth/engine/job.h"

namespace hearth::engine {

struct Slot {
  SequenceId sequence;
  std::vector<Token> tokens;          // position i holds tokens[i]; the table changes them
  AdapterSetId adapters;              // what they were computed with
  bool busy = false;                  // a job is using it
  bool is_partial = false;            // its recurrent state has not come yet: nothing to go on from
  std::uint32_t foreign_from = UINT32_MAX;  // KV of another quantisation from here on: never exported
  std::optional<LeaseId> lease;
  Instant lease_until{};
  Duration lease_keep{};  // each call of the lease's holder makes it last so much longer
  std::uint32_t reserved_tokens = 0;  // cells promised to the job; at least tokens.size()
  std::uint64_t last_used = 0;

  bool idle() const { return !busy && !lease; }
  std::uint32_t length() const { return static_cast<std::uint32_t>(tokens.size()); }
  std::uint32_t foreign_tokens() const { return length() - std::min(length(), foreign_from); }
};

// How a prompt gets its sequence. In this order:
struct Placement {
  std::size_t slot = 0;
  std::uint32_t keep_tokens = 0;          // truncate the slot to this many,
  std::optional<std::size_t> share_from;  // or empty it and take them from that slot instead,
  std::vector<std::size_t> evict;         // then empty these idle slots for their cells
};

class SlotTable {
 public:
  // `is_append_only`: as in EngineLimits.
  SlotTable(std::uint32_t slot_count, std::uint32_t context_tokens, bool is_append_only = false);

  std::vector<Slot>& slots() { return slots_; }
  const std::vector<Slot>& slots() const { return slots_; }
  Slot& operator[](std::size_t index) { return slots_[index]; }

  // What the engine did to a sequence.
  void append(std::size_t slot, std::span<const Token> tokens);
  void truncate(std::size_t slot, std::uint32_t length);
  void share(std::size_t from, std::size_t to, std::uint32_t length);  // instead of what `to` held

  // How much of `prompt` the slot holds, computed with `adapters`, and could go on from. `export_end`: what is computed is to be
  // exported, a first piece up to there: of foreign KV nothing is of use then, and an append-only slot
  // that is longer cannot export the piece any more.
  std::uint32_t usable_prefix(std::size_t slot, std::span<const Token> prompt,
                              std::optional<std::uint32_t> export_end = {}, AdapterSetId adapters = {}) const;
  // The best way to hold `total_tokens` that begin with `prompt`; nothing when every slot is taken
  // or the cells are promised to others. Continues a sequence only where that loses little of it:
  // a short side request never costs a long conversation.
  std::optional<Placement> place(std::span<const Token> prompt, std::uint32_t total_tokens,
                                 std::optional<std::uint32_t> export_end = {},
                                 AdapterSetId adapters = {}) const;
  // Idle slots to empty so that `slot`, cut back to `keep_tokens`, may grow to `total_tokens`:
  // least recently used first, none that can stay. Nothing when that cannot be.
  std::optional<std::vector<std::size_t>> make_room(std::size_t slot, std::uint32_t keep_tokens,
                                                    std::uint32_t total_tokens) const;
  // How long `slot` could become if every idle slot were emptied.
  std::uint32_t length_max(std::size_t slot) const;
  std::optional<std::size_t> find_lease(LeaseId lease) const;
  void touch(std::size_t slot) { slots_[slot].last_used = ++use_counter_; }

 private:
  std::optional<std::size_t> choose_victim(std::uint32_t total_tokens) const;
  std::vector<std::size_t> idle_slots_except(std::size_t slot) const;
  std::optional<std::vector<std::size_t>> make_room(std::size_t slot, const CellRuns& kept,
                                                    std::uint32_t total_tokens) const;
  std::uint64_t cells_needed(std::size_t slot, const CellRuns& kept, std::uint32_t total_tokens,
                             std::span<const std::size_t> evicted) const;

  std::vector<Slot> slots_;
  CellLedger cells_;
  std::uint32_t context_tokens_;
  bool is_append_only_;
  std::uint64_t use_counter_ = 0;
};

std::uint32_t common_prefix(std::span<const Token> a, std::span<const Token> b);

}  // namespace hearth::engine
