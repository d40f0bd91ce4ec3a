#pragma once
// SHA-256, the digest by which others name their files (model hosts, lock files). For our own names
// there is BLAKE2b (digest.h). Uses the processor's instructions: about 1 to 2 GB/s a core.
// One thread.

#include <memory>

#include "hearth/base/digest.h"

namespace hearth {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  Sha256& update(ByteSpan bytes);
  // Once; after it the object is of no more use.
  Digest256 finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest256 sha256(ByteSpan bytes);

}  // namespace hearth
