#pragma once
// Refusals in the words of these dialects.

#include "hearth/gateway/api.h"

namespace hearth::gateway::openai {

int error_status(const ApiError& error);
// {"error":{"message","type","param","code"}}
Json error_body(const ApiError& error);
// {"code","message"}: what a failed response has as its error.
Json failure_json(const ApiError& error);

}  // namespace hearth::gateway::openai
