#pragma once
// What a process gives up, for good, so that what it holds stays in it.

#include "hearth/base/result.h"

namespace hearth {

// No core dumps, and no other process of this user may read this one's memory. For every process that
// holds keys or sealed text, before it does. A program that it starts is readable again: each does this
// itself.
Result<> harden_process();

// All capabilities, and whatever gives some back: programs of root, set-user-ID bits, capabilities of
// files. For this thread and what it starts; a process that has one thread. False (errno set) when any
// of it is not given up. Where there are no capabilities (macOS) there is nothing to give up.
// Async-signal-safe.
bool give_up_capabilities();

}  // namespace hearth
