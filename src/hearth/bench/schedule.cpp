#include "hearth/bench/schedule.h"

namespace hearth::bench {

std::vector<Step> schedule(std::size_t targets, std::size_t cases, std::uint32_t warm_ups, std::uint32_t repeats) {
  std::vector<Step> out;
  for (std::uint32_t round = 0; round < warm_ups + repeats; ++round) {
    for (std::size_t c = 0; c < cases; ++c) {
      for (std::size_t i = 0; i < targets; ++i) {
        const bool is_warm_up = round < warm_ups;
        out.push_back({(i + round) % targets, c, is_warm_up ? round : round - warm_ups, is_warm_up});
      }
    }
  }
  return out;
}

}  // namespace hearth::bench
