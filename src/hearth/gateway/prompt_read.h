#pragma once
// How far a prompt has been read: clients and /metrics are told while they wait. A plain value.

#include <cstdint>
#include <string>

namespace hearth::gateway {

struct PromptRead {
  std::uint32_t tokens_done = 0;
  std::uint32_t tokens_total = 0;

  bool is_being_read() const { return tokens_done < tokens_total; }
  bool operator==(const PromptRead&) const = default;
};

// ": 4096 of 120000 prompt tokens", an SSE comment; empty when nothing is being read. Clients skip comments.
std::string reading_comment(const PromptRead& read);

}  // namespace hearth::gateway
