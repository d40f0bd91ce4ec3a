#include "hearth/gateway/body_room.h"

namespace hearth::gateway {

void BodyRoom::Place::shrink(std::uint64_t bytes) {
  if (bytes >= bytes_) return;
  room_.held_bytes_ -= bytes_ - bytes;
  bytes_ = bytes;
}

std::shared_ptr<BodyRoom::Place> BodyRoom::take(std::uint64_t bytes) {
  std::uint64_t held = held_bytes_;
  do {
    if (bytes > bytes_max_ - held) return nullptr;
  } while (!held_bytes_.compare_exchange_weak(held, held + bytes));
  return std::make_shared<Place>(*this, bytes);
}

}  // namespace hearth::gateway
