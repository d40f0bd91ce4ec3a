#pragma once
// Starts a program that can do nothing but compute. One implementation a system, in hearth-sandbox only:
// the calling process must have one thread, and ends with the program.

#include <optional>

#include "hearth/base/file.h"
#include "hearth/eval/sandbox/protocol.h"

namespace hearth::eval {

struct ConfinedProcess {
  int pid = 0;             // killing it kills all that the program is
  FileDescriptor input;    // our ends of its three streams
  FileDescriptor output;
  FileDescriptor errors;
  FileDescriptor status;   // a line of ours: "error TEXT"; or "status WAIT_STATUS" where `pid` is not the program itself
  std::optional<TemporaryDirectory> folder;  // where its files are not in memory
};

// unavailable, with what is missing and how to mend it, when the system lets us confine nothing.
Result<ConfinedProcess> start_confined(const SandboxJob& job);

// Feeds it, reads it, ends it by its limits, or when our own standard input ends.
Result<SandboxOutcome> supervise(ConfinedProcess process, const SandboxRequest& request);

struct ProcessPipe {
  FileDescriptor read_end, write_end;
};
Result<ProcessPipe> make_process_pipe();
// Streams of the program become 0, 1 and 2. Async-signal-safe.
bool take_streams(int input, int output, int errors);
bool set_process_limits(const SandboxLimits& limits);
// "KEY=value" of all variables that the program sees.
inline constexpr const char* confined_environment[] = {
    "PATH=/usr/bin:/bin", "HOME=/tmp",         "TMPDIR=/tmp",       "LANG=C.UTF-8",
    "LC_ALL=C.UTF-8",     "PYTHONHASHSEED=0",  "PYTHONUTF8=1",      "MALLOC_ARENA_MAX=2", nullptr};

}  // namespace hearth::eval
