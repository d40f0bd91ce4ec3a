#pragma once
// A service as people name it on the command line: KIND=URL, such as llama-server=http://127.0.0.1:8080;
// what follows a '#' in the URL is the service's own name of the model to ask for, and ",key=VARIABLE" at
// the end names the environment variable with its key.

#include <string>
#include <string_view>

#include "hearth/upstream/spec.h"

namespace hearth::cli {

// A name before the kind is its own: "A:llama-server=http://…". Without one it is
// called by kind, host and port.
// invalid_argument lists the kinds. The service counts as one in the house: whoever names it here
// sends it nothing but made-up text.
Result<upstream::EndpointSpec> parse_service(std::string_view text);

}  // namespace hearth::cli
