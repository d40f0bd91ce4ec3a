#include "hearth/kv/sync_parameters.h"

#include <algorithm>
#include <cmath>

namespace hearth::kv {
namespace {

// Beyond this a prediction is a mistake, and a Duration could overflow.
constexpr double patience_s_max = 24 * 3600;

Duration patience(const SyncParameters& parameters, double predicted_s) {
  const double wanted_s = parameters.patience_factor * predicted_s;
  const double bounded_s = std::isfinite(wanted_s) ? std::clamp(wanted_s, 0.0, patience_s_max)
                                                   : patience_s_max;
  const auto wanted = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(bounded_s));
  return std::max(parameters.progress_floor, wanted);
}

}  // namespace

Duration query_deadline(const SyncParameters& parameters) { return parameters.progress_floor; }

Duration put_deadline(const SyncParameters& parameters, std::uint64_t chunk_bytes) {
  return patience(parameters, static_cast<double>(chunk_bytes) / parameters.link_bytes_per_s);
}

Duration producer_deadline(const SyncParameters& parameters) {
  return patience(parameters, seconds(parameters.chunk_compute));
}

Duration import_deadline(const SyncParameters& parameters, std::uint32_t chunks_staged) {
  return patience(parameters, seconds(parameters.chunk_import) * (1.0 + chunks_staged));
}

Duration backoff(const SyncParameters& parameters, std::uint32_t failures, double chance) {
  const double doubled = seconds(parameters.backoff_first) * std::exp2(failures - 1.0);
  const double bounded = std::min(doubled, seconds(parameters.backoff_max)) * (1 - chance / 2);
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(bounded));
}

}  // namespace hearth::kv
