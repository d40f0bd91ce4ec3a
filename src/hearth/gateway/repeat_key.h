#pragma once
// What makes two requests the same: the body without what clients change when they send it again.
// Pure.

#include <string_view>

#include "hearth/base/digest.h"
#include "hearth/base/json.h"
#include "hearth/net/http_message.h"

namespace hearth::gateway {

// Names the conversation, from headers that clients send; empty when they send none.
std::string session_of(const net::Request& request);

// Under which name the KV of this client's conversation is known; empty when it names none.
std::string kv_user_of(const std::string& client, const net::Request& request);

// stream, stream_options, metadata and every cache_control do not count.
Digest256 repeat_key(std::string_view dialect, std::string_view client, std::string_view session,
                     const Json& body);

}  // namespace hearth::gateway
