#pragma once
// A ticket names one attempt at one hand-off. The decode side issues it with its question, and
// everything that the prefill side sends carries it; whatever carries no ticket, a ticket of
// somebody else, of an earlier attempt or life, or one that has been used is refused before any of
// its bytes is looked at. Whoever is refused loses nothing: the decode side computes itself.
//
// Values; the book is not thread-safe, has no clock, and is bounded.

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "hearth/base/clock.h"
#include "hearth/model/chain.h"

namespace hearth::cluster {

inline constexpr std::size_t tickets_open_max = 256;
inline constexpr std::size_t tickets_remembered_max = 4'096;

struct HandOffId {
  std::uint64_t high = 0, low = 0;  // random: cannot be guessed from another one
  auto operator<=>(const HandOffId&) const = default;
};

struct Ticket {
  HandOffId id;
  std::string issuer;                  // the decode side
  std::uint64_t issuer_incarnation = 0;
  std::uint32_t attempt = 0;           // of the same hand-off, from 1
  model::LayoutDigest layout;
  std::uint32_t token_count = 0;       // all but the last of the prompt
  Duration lease{};                    // what the prefill side may keep without hearing of us
  bool operator==(const Ticket&) const = default;
};

// What comes with every message of the prefill side.
struct TicketUse {
  HandOffId id;
  std::uint64_t issuer_incarnation = 0;
  std::uint32_t attempt = 0;
  std::uint64_t sender_incarnation = 0;
};

enum class TicketVerdict : std::uint8_t {
  good,
  unknown,        // never issued, or so long ago that it is forgotten
  foreign,        // issued, but to another machine
  other_life,     // issued by a process of ours that is gone
  other_attempt,  // an earlier try of the same hand-off
  spent,          // the hand-off is over
  other_sender,   // the machine it was issued to has restarted since it took it
};
std::string_view verdict_name(TicketVerdict verdict);

class TicketBook {
 public:
  explicit TicketBook(std::uint64_t incarnation) : incarnation_(incarnation) {}

  // False when too many are open: do not hand off. CHECKs that the id was never issued.
  bool issue(const Ticket& ticket, const std::string& to);
  // `from`: the authenticated name of the sender. The first good use settles its incarnation.
  TicketVerdict check(const TicketUse& use, const std::string& from);
  void spend(const HandOffId& id);
  std::size_t open_count() const { return open_.size(); }
  std::uint64_t incarnation() const { return incarnation_; }

 private:
  struct Open {
    std::string to;
    std::uint32_t attempt = 0;
    std::optional<std::uint64_t> sender_incarnation;
  };
  std::uint64_t incarnation_;
  std::map<HandOffId, Open> open_;
  std::set<HandOffId> spent_;
  std::deque<HandOffId> spent_order_;
};

// Long enough for the next piece at the slowest pace that is still waited for, so that a lease that
// is renewed with every piece never ends a hand-off that lives.
Duration lease_for(Duration next_piece, double patience_factor);

}  // namespace hearth::cluster
