#include "hearth/kv/staging_room.h"

#include <fmt/format.h>

#include <utility>

#include "hearth/base/check.h"

namespace hearth::kv {

Result<StagingRoom::Share> StagingRoom::open(const std::shared_ptr<StagingRoom>& room, std::uint64_t chunk_bytes) {
  if (room == nullptr) return Share();
  const std::lock_guard lock(room->mutex_);
  const std::uint64_t used_bytes = room->held_bytes_ + room->promised_bytes_;
  if (chunk_bytes > room->bytes_max_ - used_bytes) {
    return fail(Code::resource_exhausted,
                fmt::format("hand-offs hold or are promised {} of {} bytes of memory; another one needs {}", used_bytes,
                            room->bytes_max_, chunk_bytes));
  }
  room->promised_bytes_ += chunk_bytes;
  return Share(room, chunk_bytes);
}

std::uint64_t StagingRoom::held_bytes() const {
  const std::lock_guard lock(mutex_);
  return held_bytes_;
}

std::uint64_t StagingRoom::promised_bytes() const {
  const std::lock_guard lock(mutex_);
  return promised_bytes_;
}

StagingRoom::Share::~Share() {
  if (room_ == nullptr) return;
  end_promise();
  give_back(held_bytes_);
}

StagingRoom::Share::Share(Share&& other) noexcept
    : room_(std::move(other.room_)),
      promised_bytes_(std::exchange(other.promised_bytes_, 0)),
      held_bytes_(std::exchange(other.held_bytes_, 0)) {}

StagingRoom::Share& StagingRoom::Share::operator=(Share&& other) noexcept {
  std::swap(room_, other.room_);
  std::swap(promised_bytes_, other.promised_bytes_);
  std::swap(held_bytes_, other.held_bytes_);
  return *this;
}

bool StagingRoom::Share::take(std::uint64_t bytes) {
  if (room_ == nullptr) return true;
  const std::lock_guard lock(room_->mutex_);
  const std::uint64_t promised_to_others = room_->promised_bytes_ - unused_promise();
  const std::uint64_t free_bytes = room_->bytes_max_ - room_->held_bytes_ - promised_to_others;
  if (bytes > free_bytes) return false;
  const bool is_promised = held_bytes_ == 0 || held_bytes_ + bytes <= promised_bytes_;
  if (!is_promised && held_bytes_ + bytes > free_bytes - bytes) return false;
  hold(held_bytes_ + bytes);
  return true;
}

void StagingRoom::Share::give_back(std::uint64_t bytes) {
  if (room_ == nullptr) return;
  const std::lock_guard lock(room_->mutex_);
  CHECK(bytes <= held_bytes_);
  hold(held_bytes_ - bytes);
}

void StagingRoom::Share::end_promise() {
  if (room_ == nullptr) return;
  const std::lock_guard lock(room_->mutex_);
  room_->promised_bytes_ -= unused_promise();
  promised_bytes_ = 0;
}

void StagingRoom::Share::hold(std::uint64_t bytes) {
  room_->promised_bytes_ -= unused_promise();
  room_->held_bytes_ -= held_bytes_;
  held_bytes_ = bytes;
  room_->held_bytes_ += held_bytes_;
  room_->promised_bytes_ += unused_promise();
}

}  // namespace hearth::kv
