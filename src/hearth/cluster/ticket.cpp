#include "hearth/cluster/ticket.h"

#include <algorithm>

#include "hearth/base/check.h"

namespace hearth::cluster {
namespace {

constexpr Duration lease_min = std::chrono::seconds(30);
constexpr Duration lease_max = std::chrono::hours(1);

}  // namespace

std::string_view verdict_name(TicketVerdict verdict) {
  switch (verdict) {
    case TicketVerdict::good: return "good";
    case TicketVerdict::unknown: return "unknown ticket";
    case TicketVerdict::foreign: return "ticket of another machine";
    case TicketVerdict::other_life: return "ticket of an earlier life of this process";
    case TicketVerdict::other_attempt: return "ticket of an earlier attempt";
    case TicketVerdict::spent: return "ticket used up";
    case TicketVerdict::other_sender: return "ticket taken by an earlier life of the sender";
  }
  return "unknown";
}

bool TicketBook::issue(const Ticket& ticket, const std::string& to) {
  CHECK(ticket.issuer_incarnation == incarnation_);
  CHECK(!open_.contains(ticket.id) && !spent_.contains(ticket.id));
  if (open_.size() >= tickets_open_max) return false;
  open_.emplace(ticket.id, Open{to, ticket.attempt, {}});
  return true;
}

TicketVerdict TicketBook::check(const TicketUse& use, const std::string& from) {
  if (use.issuer_incarnation != incarnation_) return TicketVerdict::other_life;
  const auto found = open_.find(use.id);
  if (found == open_.end()) {
    return spent_.contains(use.id) ? TicketVerdict::spent : TicketVerdict::unknown;
  }
  Open& open = found->second;
  if (open.to != from) return TicketVerdict::foreign;
  if (open.attempt != use.attempt) return TicketVerdict::other_attempt;
  if (!open.sender_incarnation) open.sender_incarnation = use.sender_incarnation;
  if (*open.sender_incarnation != use.sender_incarnation) return TicketVerdict::other_sender;
  return TicketVerdict::good;
}

void TicketBook::spend(const HandOffId& id) {
  if (open_.erase(id) == 0) return;
  spent_.insert(id);
  spent_order_.push_back(id);
  if (spent_order_.size() > tickets_remembered_max) {
    spent_.erase(spent_order_.front());
    spent_order_.pop_front();
  }
}

Duration lease_for(Duration next_piece, double patience_factor) {
  const double wanted_s = seconds(next_piece) * patience_factor;
  if (wanted_s >= seconds(lease_max)) return lease_max;
  return std::max(lease_min,
                  std::chrono::duration_cast<Duration>(std::chrono::duration<double>(wanted_s)));
}

}  // namespace hearth::cluster
