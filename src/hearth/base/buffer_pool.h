#pragma once
// One buffer that is used again and again by whoever makes blobs of a like size one after another:
// fresh memory has to be cleared by the system, which took twice as long as filling it.
//
// Thread-safe. A buffer comes back by being destroyed, wherever it is by then, and keeps the pool
// alive until it is. At most one lies idle.

#include <memory>
#include <mutex>

#include "hearth/base/bytes.h"

namespace hearth {

class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  static std::shared_ptr<BufferPool> create() { return std::shared_ptr<BufferPool>(new BufferPool()); }
  // Its bytes are whatever they were.
  Result<Buffer> take(std::size_t bytes);

 private:
  friend class Buffer;
  BufferPool() = default;
  void keep(Buffer buffer);

  std::mutex mutex_;
  Buffer idle_;
};

}  // namespace hearth
