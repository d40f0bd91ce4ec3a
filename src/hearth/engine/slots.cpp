#include "hearth/engine/slots.h"

#include <algorithm>
#include <tuple>

#include "hearth/base/check.h"

namespace hearth::engine {
namespace {

// A sequence is continued in place when at most this share of it would be cut off.
constexpr double lost_share_max = 0.25;
// Shorter common prefixes are not worth a shared copy: every chat begins alike.
constexpr std::uint32_t shared_tokens_min = 16;
// A slot this many times longer than the request is taken last.
constexpr std::uint32_t long_slot_factor = 4;

bool contains(std::span<const std::size_t> list, std::size_t item) {
  return std::ranges::find(list, item) != list.end();
}

}  // namespace

std::uint32_t common_prefix(std::span<const Token> a, std::span<const Token> b) {
  const auto [end, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::uint32_t>(end - a.begin());
}

SlotTable::SlotTable(std::uint32_t slot_count, std::uint32_t context_tokens, bool is_append_only)
    : slots_(slot_count), cells_(slot_count), context_tokens_(context_tokens),
      is_append_only_(is_append_only) {
  CHECK(slot_count > 0);
  for (std::uint32_t i = 0; i < slot_count; ++i) {
    slots_[i].sequence = SequenceId{static_cast<std::int32_t>(i)};
  }
}

void SlotTable::append(std::size_t slot, std::span<const Token> tokens) {
  auto& held = slots_[slot].tokens;
  held.insert(held.end(), tokens.begin(), tokens.end());
  cells_.append(slot, static_cast<std::uint32_t>(tokens.size()));
}

void SlotTable::truncate(std::size_t slot, std::uint32_t length) {
  auto& held = slots_[slot].tokens;
  CHECK(!is_append_only_ || length == 0 || length >= held.size());
  held.resize(std::min<std::size_t>(held.size(), length));
  if (length == 0) slots_[slot].is_partial = false;
  if (length <= slots_[slot].foreign_from) slots_[slot].foreign_from = UINT32_MAX;
  cells_.truncate(slot, length);
}

void SlotTable::share(std::size_t from, std::size_t to, std::uint32_t length) {
  const auto& source = slots_[from].tokens;
  CHECK(from != to && length <= source.size());
  CHECK(!is_append_only_ || (length == source.size() && !slots_[from].is_partial));
  slots_[to].tokens.assign(source.begin(), source.begin() + length);
  const std::uint32_t foreign_from = slots_[from].foreign_from;
  slots_[to].foreign_from = foreign_from < length ? foreign_from : UINT32_MAX;
  cells_.share(from, to, length);
}

std::uint32_t SlotTable::usable_prefix(std::size_t slot, std::span<const Token> prompt,
                                       std::optional<std::uint32_t> export_end,
                                       AdapterSetId adapters) const {
  const Slot& held = slots_[slot];
  if (held.adapters != adapters) return 0;
  std::uint32_t common = common_prefix(held.tokens, prompt);
  if (export_end) common = std::min(common, held.foreign_from);
  if (!is_append_only_) return common;
  const bool goes_on = common == held.length() && !held.is_partial &&
                       common <= export_end.value_or(UINT32_MAX);
  return goes_on ? common : 0;
}

std::optional<std::size_t> SlotTable::choose_victim(std::uint32_t total_tokens) const {
  std::optional<std::size_t> best;
  const auto rank = [&](const Slot& slot) {
    const bool is_long = slot.length() > std::uint64_t{long_slot_factor} * total_tokens;
    return std::tuple(!slot.tokens.empty(), is_long, slot.last_used);
  };
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].idle() && (!best || rank(slots_[i]) < rank(slots_[*best]))) best = i;
  }
  return best;
}

std::optional<Placement> SlotTable::place(std::span<const Token> prompt,
                                          std::uint32_t total_tokens,
                                          std::optional<std::uint32_t> export_end,
                                          AdapterSetId adapters) const {
  std::size_t longest = 0;
  std::uint32_t longest_tokens = 0;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const std::uint32_t common = usable_prefix(i, prompt, export_end, adapters);
    // Of equals the idle one: it can be continued in place.
    if (common > longest_tokens ||
        (common == longest_tokens && slots_[i].idle() && !slots_[longest].idle())) {
      longest = i;
      longest_tokens = common;
    }
  }
  Placement placement;
  const Slot& source = slots_[longest];
  const double lost = source.length() - longest_tokens;
  if (longest_tokens > 0 && source.idle() && lost <= lost_share_max * source.length()) {
    placement.slot = longest;
    placement.keep_tokens = longest_tokens;
  } else {
    const auto victim = choose_victim(total_tokens);
    if (!victim) return {};
    placement.slot = *victim;
    if (*victim == longest) {
      placement.keep_tokens = longest_tokens;
    } else if (longest_tokens >= shared_tokens_min) {
      placement.keep_tokens = longest_tokens;
      placement.share_from = longest;
    }
  }
  const std::size_t kept_in = placement.share_from.value_or(placement.slot);
  auto evict = make_room(placement.slot, first_cells(cells_.runs(kept_in), placement.keep_tokens),
                         total_tokens);
  if (!evict) return {};
  placement.evict = std::move(*evict);
  return placement;
}

std::optional<std::vector<std::size_t>> SlotTable::make_room(std::size_t slot,
                                                             std::uint32_t keep_tokens,
                                                             std::uint32_t total_tokens) const {
  return make_room(slot, first_cells(cells_.runs(slot), keep_tokens), total_tokens);
}

std::optional<std::vector<std::size_t>> SlotTable::make_room(std::size_t slot, const CellRuns& kept,
                                                             std::uint32_t total_tokens) const {
  const auto fits = [&](std::span<const std::size_t> evicted) {
    return cells_needed(slot, kept, total_tokens, evicted) <= context_tokens_;
  };
  std::vector<std::size_t> evict;
  for (const std::size_t i : idle_slots_except(slot)) {
    if (fits(evict)) break;
    evict.push_back(i);
  }
  if (!fits(evict)) return {};
  // A slot whose cells others hold too, or a short one before a long one, was taken for nothing.
  for (std::size_t i = evict.size(); i-- > 0;) {
    std::vector<std::size_t> fewer = evict;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    if (fits(fewer)) evict = std::move(fewer);
  }
  return evict;
}

std::uint32_t SlotTable::length_max(std::size_t slot) const {
  const std::uint32_t length = slots_[slot].length();
  const std::uint64_t needed =
      cells_needed(slot, cells_.runs(slot), length, idle_slots_except(slot));
  return needed < context_tokens_ ? length + context_tokens_ - static_cast<std::uint32_t>(needed)
                                  : length;
}

// Least recently used first.
std::vector<std::size_t> SlotTable::idle_slots_except(std::size_t slot) const {
  std::vector<std::size_t> idle;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (i != slot && slots_[i].idle() && !slots_[i].tokens.empty()) idle.push_back(i);
  }
  std::ranges::sort(idle, {}, [&](std::size_t i) { return slots_[i].last_used; });
  return idle;
}

// If `slot` held the cells `kept` and those it still needs up to `total_tokens`.
std::uint64_t SlotTable::cells_needed(std::size_t slot, const CellRuns& kept,
                                      std::uint32_t total_tokens,
                                      std::span<const std::size_t> evicted) const {
  CellRuns held = kept;
  std::uint64_t promised = total_tokens - (kept.empty() ? 0 : kept.back().end);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (i == slot || contains(evicted, i)) continue;
    held.insert(held.end(), cells_.runs(i).begin(), cells_.runs(i).end());
    promised += std::max(slots_[i].reserved_tokens, slots_[i].length()) - slots_[i].length();
  }
  return count_cells(std::move(held)) + promised;
}

std::optional<std::size_t> SlotTable::find_lease(LeaseId lease) const {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].lease == lease) return i;
  }
  return {};
}

}  // namespace hearth::engine
