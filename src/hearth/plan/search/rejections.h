#pragma once
// Why a family is impossible here: the one number. Internal to plan/.

#include <array>
#include <optional>
#include <vector>

#include "hearth/plan/search/candidates.h"

namespace hearth::plan {

struct CopyScene;
using FoundFamilies = std::array<bool, 7>;  // by Family

// Prefill that reads what it cannot hold from storage, layers shared out by speed; nothing when the
// machines could hold the model, when a storage rate is unknown, or when buffers alone do not fit.
std::optional<Layout> streamed_layout(const Scene& scene, const PoolChoice& choice,
                                      const ContextShape& shape);

// `decoders`: feasible places to decode, best first. Families in `found` are possible.
void explain_rejections(const Scene& scene, const std::vector<Pool>& decoders,
                        const std::vector<CopyScene>& copies, const FoundFamilies& found,
                        std::vector<Rejected>& rejected);

}  // namespace hearth::plan
