#pragma once
// The prefill side's front door: who is let in. It answers at once, always: yes with a prediction,
// busy, or never. It does not queue; the decode side has other ways.
//
// The same question twice (a repeated message) gets the same answer and starts nothing twice; a
// later attempt of the same hand-off replaces the earlier; a ticket that was used up stays so.
// Not thread-safe. No clock; bounded.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/result.h"
#include "hearth/cluster/ticket.h"

namespace hearth::cluster {

struct DeskParameters {
  std::string machine;
  std::uint64_t incarnation = 0;
  std::uint32_t runs_max = 1;
  Duration retry_after = std::chrono::seconds(2);  // told when busy and nothing better is known
};

struct PrefillAccepted {
  std::uint64_t incarnation = 0;  // of this side: comes with everything it sends
  Duration first_piece{};         // until its first sign of progress, as predicted
  bool is_repeat = false;         // it runs already: do not start it again
  std::optional<HandOffId> replaces;  // an earlier attempt, to be ended now
};
struct PrefillBusy {
  Duration retry_after{};
};
struct PrefillRefused {  // this hand-off will never be taken
  Error error;
};
using DeskAnswer = std::variant<PrefillAccepted, PrefillBusy, PrefillRefused>;

class PrefillDesk {
 public:
  explicit PrefillDesk(DeskParameters parameters) : parameters_(std::move(parameters)) {}

  // What can be prefilled here. An empty list: the worker is down, everything is busy.
  void set_layouts(std::vector<model::LayoutDigest> layouts) { layouts_ = std::move(layouts); }

  // `from`: the authenticated name of who asks; it must be the ticket's issuer. `remaining`: until
  // the run that ends first is predicted to end.
  DeskAnswer on_ask(const std::string& from, const Ticket& ticket, Duration first_piece,
                    Duration remaining = {});
  // Whether this side still works on it; a cancel for anything else is ignored.
  bool is_running(const std::string& from, const HandOffId& id, std::uint32_t attempt) const;
  void on_run_over(const HandOffId& id, std::uint32_t attempt);
  std::size_t running_count() const { return running_.size(); }

 private:
  struct Running {
    std::string from;
    std::uint32_t attempt = 0;
  };
  using Used = std::pair<HandOffId, std::uint32_t>;

  DeskParameters parameters_;
  std::vector<model::LayoutDigest> layouts_;
  std::map<HandOffId, Running> running_;
  std::set<Used> used_;
  std::deque<Used> used_order_;
};

}  // namespace hearth::cluster
