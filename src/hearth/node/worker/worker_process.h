#pragma once
// A worker as a child process. It speaks on two pipes and one socket:
//  - standard output: one JSON event a line while it loads ({"event":"loading","progress":0.4},
//    {"event":"ready"}, {"event":"failed","error":{…}}); its end means that the process is gone;
//  - standard input: held open by us; when we die it ends, and the worker ends itself;
//  - the unix socket: worker_api.h.
//
// Owned by one thread. The destructor ends the child and waits.

#include <functional>
#include <memory>
#include <string>

#include "hearth/base/child_process.h"
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

  int pid() const { return child_.pid(); }
  const WorkerOptions& options() const { return options_; }
  bool is_running() { return child_.is_running(); }
  std::string how_it_ended() { return child_.how_it_ended(); }
  void stop() { child_.stop(); }
  void kill();  // without asking, and waits: it does not listen any more

 private:
  WorkerProcess(ChildProcess child, WorkerOptions options)
      : child_(std::move(child)), options_(std::move(options)) {}
  Result<> wait_until_ready(const Progress& progress, Deadline deadline, const StopToken& stop);

  ChildProcess child_;
  const WorkerOptions options_;
};

}  // namespace hearth::node
