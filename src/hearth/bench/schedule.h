#pragma once
// In which order targets and cases are measured: in turn, so that a machine that slows down does so for
// all, and no target always comes first. Pure.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hearth::bench {

struct Step {
  std::size_t target = 0, case_index = 0;
  std::uint32_t repeat = 0;
  bool is_warm_up = false;  // measured, and thrown away
  bool operator==(const Step&) const = default;
};

std::vector<Step> schedule(std::size_t targets, std::size_t cases, std::uint32_t warm_ups, std::uint32_t repeats);

}  // namespace hearth::bench
