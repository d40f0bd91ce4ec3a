#pragma once
// The memory of one machine for chunks that are on their way in: admitted or staged, and not imported yet. One
// bound for all hand-offs together, shared so that none of them has to wait for another one's end:
//
// - A hand-off is promised room for one chunk when it begins, and nobody else is given promised room. So whoever
//   holds nothing gets room for its next chunk at once, and "busy" only ever means: your own chunks are being
//   imported, come again.
// - Beyond its promise it gets room only while it holds no more than it leaves free: half of the bound when it is
//   alone, a third each of two, and so on. What is left free is for whoever begins next.
// - What it holds becomes free without any further room: it is the run of chunks that are to be imported next
//   (ChunkReceiver refuses gaps). Where a chunk before them is lost again, its own deadline ends the hand-off. So
//   nobody waits in a circle.
//
// Thread-safe. A Share belongs to one receiver and its lock.

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "hearth/base/result.h"
#include "hearth/kv/chunk.h"

namespace hearth::kv {

// Of a machine. Any chunk that the format allows fits.
inline constexpr std::uint64_t machine_staging_bytes_max = 2ull << 30;
static_assert(machine_staging_bytes_max >= chunk_payload_bytes_max + header_bytes_max);

class StagingRoom {
 public:
  class Share {
   public:
    Share() = default;  // of no room: everything fits
    ~Share();           // gives all of it back
    Share(Share&& other) noexcept;
    Share& operator=(Share&& other) noexcept;

    bool take(std::uint64_t bytes);  // false: busy
    void give_back(std::uint64_t bytes);
    void end_promise();  // it takes nothing more

   private:
    friend class StagingRoom;
    Share(std::shared_ptr<StagingRoom> room, std::uint64_t promised_bytes)
        : room_(std::move(room)), promised_bytes_(promised_bytes) {}
    // With the room's lock.
    std::uint64_t unused_promise() const { return promised_bytes_ > held_bytes_ ? promised_bytes_ - held_bytes_ : 0; }
    void hold(std::uint64_t bytes);

    std::shared_ptr<StagingRoom> room_;
    std::uint64_t promised_bytes_ = 0;
    std::uint64_t held_bytes_ = 0;
  };

  explicit StagingRoom(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // A share of `room`, which may be absent; `chunk_bytes` is the largest chunk that will come. resource_exhausted
  // when too much is promised or held: nothing has begun that could be lost.
  static Result<Share> open(const std::shared_ptr<StagingRoom>& room, std::uint64_t chunk_bytes);

  std::uint64_t bytes_max() const { return bytes_max_; }
  std::uint64_t held_bytes() const;
  std::uint64_t promised_bytes() const;  // and not held yet

 private:
  const std::uint64_t bytes_max_;
  mutable std::mutex mutex_;  // what follows, and the shares' numbers
  std::uint64_t held_bytes_ = 0;
  std::uint64_t promised_bytes_ = 0;  // unused promises; with what is held never beyond the bound
};

}  // namespace hearth::kv
