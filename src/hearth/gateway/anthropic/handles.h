#pragma once
// Signatures of thinking blocks are our handles: clients send them back as they got them.

#include <string_view>

namespace hearth::gateway::anthropic {

// Signs a thinking block that only kept the connection alive: it never enters a prompt.
inline constexpr std::string_view heartbeat_handle = "hearth-heartbeat";

}  // namespace hearth::gateway::anthropic
