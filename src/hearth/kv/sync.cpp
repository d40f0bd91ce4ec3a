#include "hearth/kv/sync.h"

namespace hearth::kv {

std::optional<PutFailure> put_failure_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::duplicate: return {};
    case Refusal::gap: return PutFailure::gap;
    case Refusal::busy: return PutFailure::busy;
    case Refusal::payload_size:
    case Refusal::payload_digest: return PutFailure::damaged;
    case Refusal::foreign_layout:
    case Refusal::forged_key:
    case Refusal::not_announced:
    case Refusal::wrong_range:
    case Refusal::too_large:
    case Refusal::partial_end:
    case Refusal::over: return PutFailure::refused;
  }
  return PutFailure::refused;
}

}  // namespace hearth::kv
