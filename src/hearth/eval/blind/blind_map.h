#pragma once
// Opaque ids and what they stand for. The map is made, its commitment written down, and then it is
// sealed: graders see ids and texts only, and whoever opens it later can show that it is the same.
//
//   id of a subject = first id_hex_digits of BLAKE2b-256(nonce, subject)
//   commitment      = BLAKE2b-256(nonce, then each id and subject in order of the ids), sized
//
// The nonce makes ids and commitment impossible to guess from the subjects, which are few. Entries
// are in order of their ids, which is a random order: nothing is told by who comes first. Pure;
// the nonce comes from the caller (secure_nonce).

#include <span>
#include <string>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/base/json.h"
#include "hearth/base/result.h"

namespace hearth::eval {

inline constexpr std::size_t id_hex_digits = 16;

struct BlindEntry {
  std::string id;
  std::string subject;  // what only the map knows
};

struct BlindMap {
  std::string nonce;  // hex
  std::vector<BlindEntry> entries;

  // nullptr when it holds no such id.
  const std::string* subject_of(std::string_view id) const;
};

// Subjects differ from each other (CHECK).
BlindMap make_blind_map(std::span<const std::string> subjects, std::string nonce);
Digest256 commitment(const BlindMap& map);

// The sealed file.
Json blind_map_json(const BlindMap& map);
Result<BlindMap> parse_blind_map(std::string_view text);

// 32 bytes from the operating system, as hex.
Result<std::string> secure_nonce();

}  // namespace hearth::eval
