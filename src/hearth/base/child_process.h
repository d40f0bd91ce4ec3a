#pragma once
// A child process with two pipes: its standard input, which we hold open (its end tells the child
// that we are gone), and its standard output, which we read. Standard error is shared.
//
// Started in a process group of its own and with no blocked signals, so that Ctrl-C reaches the
// parent, who decides. Owned by one thread. The destructor asks, waits a little, kills.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/file.h"
#include "hearth/base/result.h"
#include "hearth/base/stop.h"

namespace hearth {

class ChildProcess {
 public:
  // It inherits our environment, and "NAME=value" of `defaults` for names that are not set there.
  static Result<ChildProcess> start(const std::filesystem::path& executable,
                                    std::vector<std::string> arguments,
                                    std::vector<std::string> defaults = {});
  // In a session of its own: it outlives the terminal, and us once it is released.
  static Result<ChildProcess> start_apart(const std::filesystem::path& executable,
                                          std::vector<std::string> arguments);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess() { stop(); }

  int pid() const { return pid_; }
  // Waits until it has taken all of `bytes`, or is gone.
  Result<> write_input(ByteSpan bytes);
  // Its standard input ends.
  void close_input() { input_.close(); }
  // Lets it live on by itself; this object is as if moved from.
  void release() { pid_ = 0; }
  // Waits for output; an empty span means that the child closed it. Valid until the next call.
  Result<ByteSpan> read_output(Deadline deadline, const StopToken& stop);
  // Looks, does not wait.
  bool is_running() { return !reap(/*wait=*/false); }
  // Waits for the end: its exit code, 128 + signal when it was killed.
  int wait();
  // "killed by signal 9 (Killed)", "exited with code 3"; empty while it runs.
  std::string how_it_ended();
  // Closes its input, waits a little, kills. Idempotent.
  void stop();

 private:
  static Result<ChildProcess> start_with(const std::filesystem::path& executable,
                                         std::vector<std::string> arguments,
                                         std::vector<std::string> defaults, bool apart);
  ChildProcess(int pid, FileDescriptor input, FileDescriptor output)
      : pid_(pid), input_(std::move(input)), output_(std::move(output)) {}
  bool reap(bool wait);

  int pid_ = 0;            // 0: moved from
  FileDescriptor input_;   // write end of its standard input
  FileDescriptor output_;  // read end of its standard output
  std::optional<int> wait_status_;
  Bytes buffer_;
};

}  // namespace hearth
