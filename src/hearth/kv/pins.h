#pragma once
// Who wants which chunks kept. A value; its text form is the file pins.json of a chunk store.

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hearth/kv/chunk.h"

namespace hearth::kv {

class PinSet {
 public:
  bool is_pinned(const ChunkKey& key) const { return owners_.contains(key); }
  std::vector<std::string> owners(const ChunkKey& key) const;
  std::vector<ChunkKey> keys() const;
  std::vector<ChunkKey> keys_of(std::string_view owner) const;
  std::size_t size() const { return owners_.size(); }

  // invalid_argument for a bad owner name, resource_exhausted beyond the limits of store.h; then
  // some keys may have been added: work on a copy.
  Result<> add(std::span<const ChunkKey> keys, std::string_view owner);
  // Keys that the owner has not pinned are no error.
  void remove(std::span<const ChunkKey> keys, std::string_view owner);

  std::string to_text() const;
  static Result<PinSet> parse(std::string_view text);

  bool operator==(const PinSet&) const = default;

 private:
  std::unordered_map<ChunkKey, std::set<std::string, std::less<>>> owners_;
};

}  // namespace hearth::kv
