#pragma once
// Private to state_*.cpp: the recurrent part of a state blob, behind its caches.

#include "hearth/model/state_walk.h"

namespace hearth::model {

bool is_sane(const RecurrentLayout& layout);
std::uint64_t recurrent_bytes(const RecurrentLayout& layout, Completeness completeness);
// Walks over it. `position`: where the state must stand.
Result<Completeness> check_recurrent(StateWalk& walk, const RecurrentLayout& layout,
                                     std::uint32_t position);
// Over it, whatever position it is for.
Result<> skip_recurrent(StateWalk& walk, const RecurrentLayout& layout);

}  // namespace hearth::model
