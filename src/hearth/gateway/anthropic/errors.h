#pragma once
// Refusals in the words of this dialect.

#include "hearth/gateway/api.h"

namespace hearth::gateway::anthropic {

int error_status(const ApiError& error);
// {"type":"error","error":{"type","message"},"request_id"}; without an id it is null.
Json error_body(const ApiError& error, std::string_view request_id);

}  // namespace hearth::gateway::anthropic
