#include "hearth/kv/pins.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/json.h"
#include "hearth/kv/plain_text.h"
#include "hearth/kv/store.h"

namespace hearth::kv {
namespace {

constexpr std::int64_t pins_version = 1;

Result<> check_owner(std::string_view owner) {
  if (!owner.empty() && owner.size() <= pin_owner_bytes_max && is_plain_text(owner)) return {};
  return fail(Code::invalid_argument,
              fmt::format("a pin's owner is a name of 1 to {} bytes without control characters",
                          pin_owner_bytes_max));
}

}  // namespace

std::vector<std::string> PinSet::owners(const ChunkKey& key) const {
  const auto found = owners_.find(key);
  if (found == owners_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

std::vector<ChunkKey> PinSet::keys() const {
  std::vector<ChunkKey> out;
  for (const auto& [key, owners] : owners_) out.push_back(key);
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<ChunkKey> PinSet::keys_of(std::string_view owner) const {
  std::vector<ChunkKey> out;
  for (const auto& [key, owners] : owners_) {
    if (owners.contains(owner)) out.push_back(key);
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<> PinSet::add(std::span<const ChunkKey> keys, std::string_view owner) {
  TRY(check_owner(owner));
  for (const ChunkKey& key : keys) {
    auto& owners = owners_[key];
    owners.emplace(owner);
    if (owners.size() > pin_owners_per_key_max || owners_.size() > pinned_keys_max) {
      return fail(Code::resource_exhausted,
                  fmt::format("at most {} keys may be pinned, each by at most {} owners",
                              pinned_keys_max, pin_owners_per_key_max));
    }
  }
  return {};
}

void PinSet::remove(std::span<const ChunkKey> keys, std::string_view owner) {
  for (const ChunkKey& key : keys) {
    const auto found = owners_.find(key);
    if (found == owners_.end()) continue;
    if (const auto name = found->second.find(owner); name != found->second.end()) {
      found->second.erase(name);
    }
    if (found->second.empty()) owners_.erase(found);
  }
}

std::string PinSet::to_text() const {
  Json pins = Json::object();
  for (const ChunkKey& key : keys()) {
    Json owners = Json::array();
    for (const std::string& owner : owners_.at(key)) owners.push(owner);
    pins.as_object().emplace_back(key.hex(), std::move(owners));
  }
  Json file = Json::object({{"version", pins_version}});
  file.set("pins", std::move(pins));
  return dump_json(file, 1);
}

Result<PinSet> PinSet::parse(std::string_view text) {
  const Json file = TRY(parse_json(text));
  const auto version = TRY(get<std::int64_t>(file, "version"));
  if (version != pins_version) {
    return fail(Code::unsupported, fmt::format("pins of version {}, this build reads version {}",
                                               version, pins_version));
  }
  const Json* pins = file.find("pins");
  if (pins == nullptr || !pins->is_object()) {
    return fail(Code::corrupt, "pins: an object of key to owners is expected");
  }
  PinSet out;
  for (const auto& [hex, owners] : pins->as_object()) {
    const ChunkKey key = TRY(ChunkKey::parse(hex));
    if (!owners.is_array()) return fail(Code::corrupt, "pins." + hex + ": a list is expected");
    for (const Json& owner : owners.as_array()) {
      const auto name = TRY(read_json<std::string>(owner, "pins." + hex));
      TRY(out.add(std::span(&key, 1), name));
    }
  }
  return out;
}

}  // namespace hearth::kv
