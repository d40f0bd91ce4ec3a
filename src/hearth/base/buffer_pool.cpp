#include "hearth/base/buffer_pool.h"

#include <utility>

namespace hearth {

Result<Buffer> BufferPool::take(std::size_t bytes) {
  Buffer buffer;
  {
    const std::lock_guard hold(mutex_);
    // One that is far too large is not tied up for a small blob.
    if (idle_.allocated_ >= bytes && idle_.allocated_ / 2 <= bytes) buffer = std::move(idle_);
  }
  if (buffer.data_ == nullptr) buffer = TRY(Buffer::create(bytes));
  buffer.size_ = bytes;
  buffer.pool_ = shared_from_this();
  return buffer;
}

void BufferPool::keep(Buffer buffer) {
  const std::lock_guard hold(mutex_);
  std::swap(idle_, buffer);  // the older one is freed after the lock
}

}  // namespace hearth
