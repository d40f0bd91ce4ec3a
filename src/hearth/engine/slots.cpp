#include "hearth/engine/slots.h"

#include <algorithm>

#include "hearth/base/check.h"

namespace hearth::engine {
namespace {

// A sequence is continued in place when at most this share of it would be cut off.
constexpr double lost_share_max = 0.25;
// Shorter common prefixes are not worth a shared copy: every chat begins alike.
constexpr std::uint32_t shared_tokens_min = 16;
// A slot this many times longer than the request is taken last.
constexpr std::uint32_t long_slot_factor = 4;

std::uint32_t cells(const Slot& slot) { return std::max(slot.reserved_tokens, slot.length()); }

}  // namespace

std::uint32_t common_prefix(std::span<const Token> a, std::span<const Token> b) {
  const auto [end, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::uint32_t>(end - a.begin());
}

SlotTable::SlotTable(std::uint32_t slot_count, std::uint32_t context_tokens)
    : slots_(slot_count), context_tokens_(context_tokens) {
  CHECK(slot_count > 0);
  for (std::uint32_t i = 0; i < slot_count; ++i) {
    slots_[i].sequence = SequenceId{static_cast<std::int32_t>(i)};
  }
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
                                          std::uint32_t total_tokens) const {
  std::size_t longest = 0;
  std::uint32_t longest_tokens = 0;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const std::uint32_t common = common_prefix(slots_[i].tokens, prompt);
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
  auto evict = make_room(placement.slot, total_tokens);
  if (!evict) return {};
  if (placement.share_from && std::ranges::find(*evict, *placement.share_from) != evict->end()) {
    placement.share_from.reset();  // its cells are needed: compute instead
    placement.keep_tokens = 0;
  }
  placement.evict = std::move(*evict);
  return placement;
}

std::optional<std::vector<std::size_t>> SlotTable::make_room(std::size_t slot,
                                                             std::uint32_t total_tokens) const {
  std::uint64_t wanted = total_tokens;
  std::vector<std::size_t> idle;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (i == slot) continue;
    wanted += cells(slots_[i]);
    if (slots_[i].idle() && !slots_[i].tokens.empty()) idle.push_back(i);
  }
  std::ranges::sort(idle, {}, [&](std::size_t i) { return slots_[i].last_used; });
  std::vector<std::size_t> evict;
  for (const std::size_t i : idle) {
    if (wanted <= context_tokens_) break;
    wanted -= cells(slots_[i]);
    evict.push_back(i);
  }
  if (wanted > context_tokens_) return {};
  return evict;
}

std::optional<std::size_t> SlotTable::find_lease(LeaseId lease) const {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].lease == lease) return i;
  }
  return {};
}

}  // namespace hearth::engine
