#pragma once
// What a machine can do before any model is loaded: how much memory there is, how fast all cores
// together read it, how fast a file comes from storage. Blocking; seconds each. Errors:
// resource_exhausted without memory to read, cancelled.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "hearth/base/result.h"
#include "hearth/base/stop.h"
#include "hearth/node/probe/spread.h"

namespace hearth::node {

struct MachineFacts {
  std::string name;  // host name, reduced to what a catalogue key may have
  std::uint64_t memory_bytes = 0;
  std::uint64_t available_bytes = 0;  // without swapping, now; 0: not known on this system
  std::uint32_t threads = 1;
};
MachineFacts machine_facts();

struct BandwidthOptions {
  std::uint64_t bytes = 512ULL << 20;  // beyond any cache; a quarter of what is free if that is less
  std::uint32_t repetitions = 5;
};
// Gigabytes (10^9 bytes) a second that all threads read together.
Result<Measured> measure_memory_bandwidth(const MachineFacts& facts, const BandwidthOptions& options,
                                          const StopToken& stop);

struct StorageOptions {
  std::uint64_t bytes_max = 4ULL << 30;
  Duration time_max = std::chrono::seconds(5);
};
// Gigabytes a second of `file` read from front to back past the page cache; `spread` is over its
// blocks of 16 MiB. Nothing when the file system does not allow reading past the cache, or the file
// is shorter than one block.
Result<std::optional<Measured>> measure_storage(const std::filesystem::path& file,
                                                const StorageOptions& options,
                                                const StopToken& stop);

}  // namespace hearth::node
