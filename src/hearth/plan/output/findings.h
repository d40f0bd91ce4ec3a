#pragma once
// What several quantisations of one model have in common on one cluster, in sentences: the answers
// people come with. Internal to output/.

#include <span>
#include <string>
#include <vector>

#include "hearth/plan/explain.h"

namespace hearth::plan {

// For the first workload of `answers`; empty for a single answer, which says it itself.
std::vector<std::string> findings(std::span<const Answer> answers);

}  // namespace hearth::plan
