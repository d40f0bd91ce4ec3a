#pragma once
// Makes equal requests look equal before they are rendered: clients put things at the head of a
// prompt that change from request to request and so cost the cached prefix. Pure.

#include "hearth/chat/message.h"

namespace hearth::chat {

struct CanonicalReport {
  std::size_t volatile_headers = 0;  // removed
  bool tools_reordered = false;
};

// Removes system messages (or leading lines of them) that clients use as headers, such as
// Claude Code's "x-anthropic-billing-header: ..."; restores tool inputs that were not JSON; sorts
// tools by name. Everything else is left as it is, byte for byte.
CanonicalReport canonicalise(Conversation& conversation);

}  // namespace hearth::chat
