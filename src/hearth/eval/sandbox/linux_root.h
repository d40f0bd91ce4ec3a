#pragma once
// Linux: the file system that a confined program sees. Called by the first process of new namespaces,
// which may allocate (it has one thread) and is gone afterwards.

#include "hearth/eval/sandbox/protocol.h"

namespace hearth::eval {

// Makes it and moves into it: the system's programs read-only, /job with the files, an empty /tmp with a
// limit, five devices; no /proc, /sys, /etc or home.
Result<> enter_confined_root(const SandboxJob& job);

}  // namespace hearth::eval
