#pragma once
// A service over HTTP as a target.

#include <memory>

#include "hearth/bench/target.h"
#include "hearth/upstream/endpoint.h"

namespace hearth::bench {

// Prompts go without a chat format where the service takes that, so that the model reads what was
// meant and seldom ends by itself; else as one message of a user. Looks at the service first:
// unavailable when nothing of its kind answers.
Result<std::unique_ptr<Target>> make_endpoint_target(std::unique_ptr<upstream::Endpoint> endpoint, const StopToken& stop);

}  // namespace hearth::bench
