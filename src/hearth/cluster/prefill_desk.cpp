#include "hearth/cluster/prefill_desk.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::cluster {

DeskAnswer PrefillDesk::on_ask(const std::string& from, const Ticket& ticket, Duration first_piece,
                               Duration remaining) {
  if (from != ticket.issuer) {
    return PrefillRefused{{Code::permission, fmt::format("the ticket is of {}, the question of {}",
                                                         ticket.issuer, from)}};
  }
  if (ticket.token_count == 0) {
    return PrefillRefused{{Code::invalid_argument, "a hand-off of no tokens"}};
  }
  const auto running = running_.find(ticket.id);
  const bool is_repeat = running != running_.end() && running->second.attempt == ticket.attempt;
  if (is_repeat && running->second.from == from) {
    return PrefillAccepted{parameters_.incarnation, first_piece, true, {}};
  }
  if (used_.contains({ticket.id, ticket.attempt})) {
    return PrefillRefused{{Code::invalid_argument, "this ticket has been used"}};
  }
  PrefillAccepted accepted{parameters_.incarnation, first_piece, false, {}};
  if (running != running_.end()) {
    if (running->second.from != from || running->second.attempt > ticket.attempt) {
      return PrefillRefused{{Code::invalid_argument, "a later attempt of this hand-off runs"}};
    }
    accepted.replaces = ticket.id;
  }
  if (layouts_.empty()) return PrefillBusy{parameters_.retry_after};
  if (std::find(layouts_.begin(), layouts_.end(), ticket.layout) == layouts_.end()) {
    return PrefillRefused{{Code::unsupported,
                           fmt::format("{} holds no model of layout {}; machines compare layouts "
                                       "when they join",
                                       parameters_.machine, ticket.layout.short_hex())}};
  }
  if (!accepted.replaces && running_.size() >= parameters_.runs_max) {
    return PrefillBusy{remaining > Duration::zero() ? remaining : parameters_.retry_after};
  }
  if (accepted.replaces) on_run_over(ticket.id, running->second.attempt);
  running_[ticket.id] = {from, ticket.attempt};
  return accepted;
}

bool PrefillDesk::is_running(const std::string& from, const HandOffId& id,
                             std::uint32_t attempt) const {
  const auto found = running_.find(id);
  return found != running_.end() && found->second.from == from && found->second.attempt == attempt;
}

void PrefillDesk::on_run_over(const HandOffId& id, std::uint32_t attempt) {
  const auto found = running_.find(id);
  if (found == running_.end() || found->second.attempt != attempt) return;
  running_.erase(found);
  used_.insert({id, attempt});
  used_order_.push_back({id, attempt});
  if (used_order_.size() > tickets_remembered_max) {
    used_.erase(used_order_.front());
    used_order_.pop_front();
  }
}

}  // namespace hearth::cluster
