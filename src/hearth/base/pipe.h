#pragma once
// A pipe that no child process inherits.

namespace hearth {

// The end to read from, then the one to write to; the caller's to close. False with errno, as pipe(2).
bool make_pipe(int (&fds)[2]);

}  // namespace hearth
