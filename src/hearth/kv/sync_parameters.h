#pragma once
// What both ends of a transfer agree to mean by patience. Every deadline is
//
//   max(progress_floor, patience_factor x predicted time of the next piece)
//
// and starts again with every piece that arrives. There is no deadline for the whole: a prompt of
// 200,000 tokens takes as long as it takes, while a peer that does nothing is found in seconds.
// Durations only; no clock reading crosses machines.

#include <chrono>
#include <cstdint>

#include "hearth/base/clock.h"

namespace hearth::kv {

inline constexpr std::uint32_t transfer_chunks_max = 65'536;

struct SyncParameters {
  // predictions
  double link_bytes_per_s = 100e6;
  Duration chunk_compute = std::chrono::seconds(2);   // prefill of one chunk at the producer
  Duration chunk_import = std::chrono::milliseconds(100);
  // patience
  double patience_factor = 3;
  Duration progress_floor = std::chrono::seconds(2);
  // retries: backoff_first x 2^n up to backoff_max, each shortened by up to a half at random
  Duration backoff_first = std::chrono::milliseconds(50);
  Duration backoff_max = std::chrono::seconds(5);
  std::uint32_t attempts_max = 6;      // consecutive failures without progress
  std::uint32_t failures_max = 1'000;  // in the whole transfer: a peer that forgets for ever
};

Duration query_deadline(const SyncParameters& parameters);
Duration put_deadline(const SyncParameters& parameters, std::uint64_t chunk_bytes);
Duration producer_deadline(const SyncParameters& parameters);
Duration import_deadline(const SyncParameters& parameters, std::uint32_t chunks_staged);
// `failures` consecutive ones, at least 1; `chance` in [0, 1).
Duration backoff(const SyncParameters& parameters, std::uint32_t failures, double chance);

}  // namespace hearth::kv
