#include "hearth/cluster/progress_deadline.h"

#include <algorithm>

namespace hearth::cluster {
namespace {

// Changing the way costs a little too, and predictions are not exact.
constexpr double worth_share = 0.1;
constexpr double worth_floor_s = 0.05;

Duration patience_for(kv::SyncParameters patience, Duration next_piece) {
  patience.chunk_compute = next_piece;
  return kv::producer_deadline(patience);
}

// How many times longer than predicted it takes so far. Below 1 nothing is wrong: it is between two
// pieces.
double pace(double actual_s, double predicted_s) {
  return predicted_s > 0 ? std::max(1.0, actual_s / predicted_s) : 1.0;
}

}  // namespace

ProgressDeadline::ProgressDeadline(const kv::SyncParameters& patience, Duration next_piece,
                                   Instant now)
    : patience_(patience), when_(now + patience_for(patience, next_piece)) {}

void ProgressDeadline::on_progress(Duration next_piece, Instant now) {
  when_ = std::max(when_, now + patience_for(patience_, next_piece));
}

std::optional<double> remote_remaining_s(const RemoteProgress& at, const PrefillCurve& remote) {
  const std::uint32_t piece = std::max(1u, at.piece_tokens);
  const std::uint32_t done = std::clamp(at.done_tokens, at.first_token, at.end_tokens);
  const std::uint32_t received = std::min(at.received_tokens, at.end_tokens);
  const std::uint32_t next_end = std::min(at.end_tokens, done + piece);
  const auto until_next = remote.seconds(next_end - at.first_token, at.first_token);
  const auto next_piece = remote.seconds(next_end - done, done);
  const auto left = remote.seconds(at.end_tokens - done, done);
  if (!until_next || !next_piece || !left) return {};
  // Nothing is said of the prefix until the first new token behind it.
  const double silent_s = done == at.first_token ? at.prefix_s : 0;
  const double compute_s = (left->value + std::max(0.0, silent_s - at.elapsed_s)) *
                           pace(at.elapsed_s, at.prefix_s + until_next->value);
  const double piece_s = piece * at.transfer_token_s;
  const double transfer_s = (at.end_tokens - received) * at.transfer_token_s *
                            pace(at.waiting_s, silent_s + piece_s + next_piece->value);
  return std::max(compute_s, transfer_s) + at.tail_s;
}

bool should_finish_locally(const RemoteProgress& at, const std::optional<PrefillCurve>& remote,
                           const std::optional<PrefillCurve>& local, double local_queue_s) {
  if (!remote || !local || at.committed_tokens >= at.end_tokens) return false;
  const auto remote_s = remote_remaining_s(at, *remote);
  const auto local_s = local->seconds(at.end_tokens - at.committed_tokens, at.committed_tokens);
  if (!remote_s || !local_s) return false;
  const double alone_s = local_s->value + local_queue_s;
  return *remote_s > alone_s * (1 + worth_share) + worth_floor_s;
}

}  // namespace hearth::cluster
