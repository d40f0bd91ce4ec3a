#pragma once
// Counters of the gateway, in Prometheus' text format (version 0.0.4). Numbers only: no prompt, no
// answer, no key. Thread-safe.

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "hearth/base/clock.h"
#include "hearth/gateway/api.h"

namespace hearth::gateway {

// Upper bounds of its buckets are fixed; counts are cumulative only when written.
class Histogram {
 public:
  static constexpr std::array<double, 14> bounds_s = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5,  1,
                                                      2.5,  5,     10,   30,  60,   300, 1800};
  void observe(Duration value);
  void write(std::string& out, std::string_view name, std::string_view help) const;

 private:
  std::array<std::atomic<std::uint64_t>, bounds_s.size() + 1> counts_{};
  std::atomic<std::uint64_t> sum_us_{0};
};

struct Metrics {
  std::atomic<std::uint64_t> prompt_tokens{0}, cached_tokens{0}, answer_tokens{0}, thinking_tokens{0};
  std::atomic<std::uint64_t> answers_finished{0}, answers_failed{0}, answers_abandoned{0},
      answers_begun_again{0};
  std::atomic<std::uint64_t> requests_attached{0}, calls{0}, calls_malformed{0};
  std::atomic<std::uint64_t> turns_remembered{0}, turns_rendered{0}, tool_types_degraded{0};
  std::atomic<std::uint64_t> prefixes_departed{0}, prefix_tokens_lost{0};
  Histogram ttft, duration;

  void count_request(std::string_view dialect, int status);
  // What is measured by others at the moment of the call.
  struct Gauges {
    std::size_t jobs = 0, connections = 0;
    std::uint64_t body_bytes = 0;
    std::uint64_t reading_tokens_done = 0, reading_tokens = 0;  // of prompts that are being read
    bool model_ready = false;
    std::uint64_t stalled_s = 0;  // how long the model has stood still
    std::uint64_t resident_bytes = 0;
  };
  std::string prometheus(const Gauges& gauges) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::uint64_t> requests_;
};

}  // namespace hearth::gateway
