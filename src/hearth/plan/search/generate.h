#pragma once
// All layouts of each family that memory and wires allow, and why the others are impossible.
// Internal to plan/.

#include <vector>

#include "hearth/plan/search/candidates.h"

namespace hearth::plan {

struct Candidate {
  Layout layout{};
  std::uint32_t machines = 0;  // bits
  bool timed = false;
  double turn_s = 0;
  double ttft_s = 0;
  double step_s = 0;
};

// A scene for another quantisation of the model, kept beside its card.
struct CopyScene {
  const ModelCard* card = nullptr;
  const Scene* scene = nullptr;
};

struct Generated {
  std::vector<Candidate> candidates{};  // per family and set of machines the fastest
  std::vector<Rejected> rejected{};
  SearchStats stats{};
};

// `options` may narrow the candidates: to plans that use certain machines, or to unified ones.
Generated generate(const Scene& scene, const std::vector<CopyScene>& copies,
                   const Options& options);

}  // namespace hearth::plan
