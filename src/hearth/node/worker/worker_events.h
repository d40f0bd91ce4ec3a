#pragma once
// What a job tells, one JSON object a line of a worker's reply, and errors.

#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/engine/job.h"

namespace hearth::node {

// StateDone and LogitsDone have no JSON: they travel as bytes.
Json event_json(const engine::JobEvent& event);
Result<engine::JobEvent> event_from_json(const Json& json);

// An Error as the body of a failed reply, and back.
Json error_json(const Error& error);
Error error_from_json(const Json& json);

}  // namespace hearth::node
