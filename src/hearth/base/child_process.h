#pragma once
// A child process with two pipes: its standard input, which we hold open (its end tells the child
// that we are gone) and may write to, and its standard output, which we read. Standard error is
// shared unless it has a file.
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

struct ChildOptions {
  std::vector<std::string> defaults{};      // "NAME=value" for names that our environment lacks
  std::filesystem::path error_log{};        // standard error goes there, at its end
  std::filesystem::path working_directory{};
  // Programs of others do not leave when their input ends: they and all their children get this
  // signal first, and what is left of them when the child ends is killed. 0: the child alone.
  int stop_signal = 0;
  Duration stop_time_max = std::chrono::seconds(3);  // between asking and killing
  // In a session of its own: it outlives the terminal, and us once it is released.
  bool apart = false;
};

class ChildProcess {
 public:
  // An executable without a slash is looked for on the PATH.
  static Result<ChildProcess> start(const std::filesystem::path& executable,
                                    std::vector<std::string> arguments, ChildOptions options = {});
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess() { stop(); }

  int pid() const { return pid_; }
  // Waits until it has taken all of `bytes`; unavailable when it is gone or has closed its input.
  Result<> write_input(ByteSpan bytes);
  void close_input() { input_.close(); }  // its standard input ends
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
  // Closes its input, asks, waits a little, kills. Idempotent.
  void stop();

 private:
  ChildProcess(int pid, FileDescriptor input, FileDescriptor output, const ChildOptions& options)
      : pid_(pid), stop_signal_(options.stop_signal), stop_time_max_(options.stop_time_max),
        input_(std::move(input)), output_(std::move(output)) {}
  bool reap(bool wait);
  bool end_group(bool wait);  // false: it has not ended

  int pid_ = 0;            // 0: moved from
  int stop_signal_ = 0;
  Duration stop_time_max_{};
  FileDescriptor input_;   // write end of its standard input
  FileDescriptor output_;  // read end of its standard output
  std::optional<int> wait_status_;
  Bytes buffer_;
};

}  // namespace hearth
