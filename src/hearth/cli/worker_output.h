#pragma once
// What hearth-worker says to whoever started it: events, one JSON line each, on standard output.

#include "hearth/base/json.h"
#include "hearth/base/result.h"

namespace hearth::cli {

// From here on standard output carries events alone; what the engine prints there goes to standard error.
void claim_output();
void tell(const Json& event);
// The event "failed" and a log line. Returns the exit code.
int fail_start(const Error& error);

}  // namespace hearth::cli
