// pins.json of a chunk store: what parses keeps to the limits, and prints and parses again to the
// same pins, owner by owner.
#include <cstdint>
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/kv/pins.h"
#include "hearth/kv/store.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::kv;
  const auto pins = PinSet::parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!pins) return 0;
  CHECK(pins->size() <= pinned_keys_max);
  const std::string text = pins->to_text();
  const auto again = PinSet::parse(text);
  CHECK(again.has_value() && *again == *pins);
  CHECK(again->to_text() == text);

  // Letting go of everything, owner by owner, leaves nothing.
  PinSet rest = *pins;
  for (const ChunkKey& key : pins->keys()) {
    const auto owners = pins->owners(key);
    CHECK(owners.size() <= pin_owners_per_key_max);
    for (const std::string& owner : owners) {
      CHECK(!owner.empty() && owner.size() <= pin_owner_bytes_max);
      CHECK(rest.is_pinned(key));
      rest.remove(std::span(&key, 1), owner);
    }
  }
  CHECK(rest.size() == 0);
  return 0;
}
