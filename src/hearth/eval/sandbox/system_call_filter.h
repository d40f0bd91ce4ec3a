#pragma once
// Linux: the system calls that a confined program may not make. For this thread and all it starts,
// for ever; needs no_new_privs. Async-signal-safe.

namespace hearth::eval {

// False (errno set) where the kernel or the processor is one we have no filter for.
bool install_system_call_filter();

}  // namespace hearth::eval
