#pragma once
// When silence means death, and when waiting is no longer worth it. A deadline is a multiple of
// the predicted time of the next piece, never below a floor, and starts again with every piece
// that comes (kv/sync_parameters.h has the same rule for the ends of a transfer). The whole has no
// deadline here.
//
// Values; no clock.

#include <optional>

#include "hearth/base/clock.h"
#include "hearth/cluster/prefill_curve.h"
#include "hearth/kv/sync_parameters.h"

namespace hearth::cluster {

class ProgressDeadline {
 public:
  ProgressDeadline(const kv::SyncParameters& patience, Duration next_piece, Instant now);

  // `next_piece`: how long the next one is predicted to take.
  void on_progress(Duration next_piece, Instant now);
  bool passed(Instant now) const { return now >= when_; }
  Instant when() const { return when_; }

 private:
  kv::SyncParameters patience_;
  Instant when_;
};

// Where a remote prefill stands, as its decode side sees it.
struct RemoteProgress {
  std::uint32_t first_token = 0;    // where its new tokens begin
  double prefix_s = 0;              // predicted for what it lacked before that: computed there, or brought
  std::uint32_t done_tokens = 0;    // computed there, as reported
  std::uint32_t end_tokens = 0;
  std::uint32_t piece_tokens = 1;   // progress comes in pieces of so many
  double elapsed_s = 0;             // since it began
  std::uint32_t received_tokens = 0;   // arrived here
  double transfer_token_s = 0;         // the link's part for one token
  double waiting_s = 0;                // since something arrived
  double tail_s = 0;                   // from the last arrival to the first token
  std::uint32_t committed_tokens = 0;  // from where the decode side would go on
};

// Seconds left, if it goes on at the pace it has shown: computing and sending at the same time, and
// silence beyond the predicted time of the next piece counts as slowness. Nothing when the curve
// does not reach.
std::optional<double> remote_remaining_s(const RemoteProgress& at, const PrefillCurve& remote);

// The rule: take what is committed and compute the rest here. False when anything is unknown.
bool should_finish_locally(const RemoteProgress& at, const std::optional<PrefillCurve>& remote,
                           const std::optional<PrefillCurve>& local, double local_queue_s = 0);

}  // namespace hearth::cluster
