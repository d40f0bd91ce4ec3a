#pragma once
// Why a family is impossible here: the one number. Internal to plan/.

#include <array>
#include <optional>
#include <vector>

#include "hearth/plan/search/candidates.h"

namespace hearth::plan {

struct CopyScene;
using FoundFamilies = std::array<bool, 7>;  // by Family

// Prefill that reads what it cannot hold, layers shared out by speed: from its own storage, or over
// the wire from a single machine that decodes and so holds all weights, whichever is faster. Nothing
// when the machines could hold the model, when no rate is known, or when buffers alone do not fit.
std::optional<Layout> streamed_layout(const Scene& scene, const PoolChoice& choice,
                                      const ContextShape& shape, const Pool& decode);

// `decoders`: feasible places to decode, best first. `smallest_kv`: of the KV types that were tried. Families in `found` are possible.
void explain_rejections(const Scene& scene, const std::vector<Pool>& decoders,
                        const std::vector<CopyScene>& copies, KvType smallest_kv, const FoundFamilies& found,
                        std::vector<Rejected>& rejected);

}  // namespace hearth::plan
