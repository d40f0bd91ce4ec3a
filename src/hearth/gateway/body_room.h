#pragma once
// How many bytes the bodies of all requests together may have that are read, or held while their answer is
// made. Room is taken before a body is read and given back with it. Private to gateway. Thread-safe.

#include <atomic>
#include <cstdint>
#include <memory>

namespace hearth::gateway {

class BodyRoom {
 public:
  explicit BodyRoom(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // The room of one body, which its destructor gives back. One thread's; the BodyRoom outlives it.
  class Place {
   public:
    Place(BodyRoom& room, std::uint64_t bytes) : room_(room), bytes_(bytes) {}
    ~Place() { shrink(0); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    void shrink(std::uint64_t bytes);  // keeps so many; never grows

   private:
    BodyRoom& room_;
    std::uint64_t bytes_;
  };
  // nullptr: not now.
  std::shared_ptr<Place> take(std::uint64_t bytes);
  std::uint64_t held_bytes() const { return held_bytes_; }

 private:
  const std::uint64_t bytes_max_;
  std::atomic<std::uint64_t> held_bytes_{0};  // never more than bytes_max_
};

}  // namespace hearth::gateway
