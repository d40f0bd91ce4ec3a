#pragma once
// The port that a library of this process listens on and does not tell.

#include <cstdint>

#include "hearth/base/result.h"
#include "hearth/base/stop.h"

namespace hearth::node {

// Waits until this process has a listening TCP socket, and gives its port: of several, any.
// timed_out after ten seconds without one.
Result<std::uint16_t> own_listening_port(const StopToken& stop);

}  // namespace hearth::node
