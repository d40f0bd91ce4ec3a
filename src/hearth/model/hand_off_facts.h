#pragma once
// Where the KV of a prompt came from, and what bringing it to the machine that decodes has cost. A value that
// goes with an answer to whoever asked for it.

#include <cstdint>
#include <optional>
#include <string>

namespace hearth::model {

struct HandOffFacts {
  std::string prefilled_by;         // the machine that computed for the one that decodes; empty: none did
  std::uint32_t handed_tokens = 0;  // computed there
  std::uint32_t held_tokens = 0;    // in the decoding worker before
  std::uint32_t memory_tokens = 0, disk_tokens = 0;  // from the chunk store
  std::uint32_t chunks = 0;         // brought into the decoding worker, stored ones too
  std::uint32_t refused_chunks = 0;
  std::uint64_t bytes = 0;
  double hidden_fraction = 0;       // of the transfer, behind the computation
  double tail_ms = 0;               // from the end of the computation to the last import
  std::optional<double> import_ms{};  // of the tail: since the last chunk had come; absent: not told
  bool operator==(const HandOffFacts&) const = default;
};

}  // namespace hearth::model
