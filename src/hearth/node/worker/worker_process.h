#pragma once
// A worker as a child process. It speaks on two pipes and one socket:
//  - standard output: one JSON event a line while it loads ({"event":"loading","progress":0.4},
//    {"event":"ready"}, {"event":"failed","error":{…}}); its end means that the process is gone;
//  - standard input: held open by us; when we die it ends, and the worker ends itself;
//  - the unix socket: worker_api.h.
//
// Owned by one thread; kill() may be called from any. The destructor ends the child and waits.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "hearth/base/clock.h"
#include "hearth/base/file.h"
#include "hearth/base/result.h"
#include "hearth/base/stop.h"
#include "hearth/node/worker/worker_options.h"

namespace hearth::node {

class WorkerProcess {
 public:
  using Progress = std::function<void(double fraction)>;

  // Starts `executable` and waits until the model is loaded. Errors carry the worker's own reason
  // (model not usable, memory short) or how it died.
  static Result<std::unique_ptr<WorkerProcess>> start(const std::filesystem::path& executable,
                                                      const WorkerOptions& options,
                                                      const Progress& progress, Deadline deadline,
                                                      const StopToken& stop);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  int pid() const { return pid_; }
  const WorkerOptions& options() const { return options_; }
  // Looks, does not wait.
  bool is_running();
  // "killed by signal 9 (Killed)", "exited with code 3"; empty while it runs.
  std::string how_it_ended();
  // Asks, waits a little, then kills. Idempotent.
  void stop();

 private:
  WorkerProcess(int pid, WorkerOptions options, FileDescriptor input, FileDescriptor output)
      : pid_(pid), options_(std::move(options)), input_(std::move(input)), output_(std::move(output)) {}
  Result<> wait_until_ready(const Progress& progress, Deadline deadline, const StopToken& stop);
  bool reap(bool wait);

  const int pid_;
  const WorkerOptions options_;
  FileDescriptor input_;   // write end of its standard input
  FileDescriptor output_;  // read end of its standard output
  std::optional<int> wait_status_;
};

}  // namespace hearth::node
