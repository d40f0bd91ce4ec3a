#pragma once
// Turns that a model sampled, so that a server finds them again after a restart: their token ids under the
// digests by which it looks for them (chat/turn_memory.h); turns.db. What a digest means is the
// server's business.
//
// Token ids say what was written: the file is as private as the chunk store beside it, and forget() leaves
// nothing of it on the disk. Bounded by turns and by tokens; the oldest go first. A TurnStore belongs to
// one thread at a time. Errors as in store/database.h.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/base/result.h"

namespace hearth::store {

struct StoredTurn {
  Digest256 key, content;
  std::string handle;
  std::string user;  // whose conversation it belongs to; empty: nobody's in particular
  bool thinking_on = false;
  std::vector<std::int32_t> tokens;
  bool operator==(const StoredTurn&) const = default;
};

struct TurnLimits {
  std::size_t turns_max = 0, tokens_max = 0;
};

class TurnStore {
 public:
  // `vocabulary` says whose ids they are; turns of others stay where they are and are not seen.
  static Result<TurnStore> open(const std::filesystem::path& file, std::string vocabulary, TurnLimits limits);
  TurnStore(TurnStore&&) noexcept;
  TurnStore& operator=(TurnStore&&) noexcept;
  ~TurnStore();

  // Replaces the one with the same key.
  Result<> add(const StoredTurn& turn);
  // The oldest first.
  Result<std::vector<StoredTurn>> all() const;
  Result<> forget(std::string_view user);

 private:
  struct State;
  explicit TurnStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hearth::store
