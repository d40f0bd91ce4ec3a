#pragma once
// Keeps one worker process running: starts it, watches it, starts it again when it dies, at once
// the first time and with growing pauses after that (cluster/supervisor.h decides when). One that
// lives but is hung (cluster/watchdog.h) is killed, and then it is like any other that died; before that
// stall() tells. One thread ("worker_keeper") owns the process.
//
// Thread-safe. A worker that cannot be started the first time is an error of start(); later ones
// are logged and tried again for as long as this lives.

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/file.h"
#include "hearth/base/stop.h"
#include "hearth/base/thread.h"
#include "hearth/cluster/supervisor.h"
#include "hearth/cluster/watchdog.h"
#include "hearth/net/http_client.h"
#include "hearth/node/worker/worker_client.h"
#include "hearth/node/worker/worker_process.h"

namespace hearth::node {

struct KeeperOptions {
  std::filesystem::path worker_executable;
  WorkerOptions worker;  // the socket is chosen here
  // Asked before each start for what that life is started with; an Error is a start that failed.
  // Empty: `worker` every time. On the keeper's thread.
  std::function<Result<WorkerOptions>(WorkerOptions worker, std::uint32_t life, const StopToken& stop)> arrange{};
  Duration start_deadline = std::chrono::hours(2);  // a terabyte from a slow disk
  cluster::WatchdogParameters watchdog = {};
};

// One life of the worker. A copy held longer than that only gets `unavailable` from its calls.
struct KeptWorker {
  WorkerClient client;
  WorkerInfo info;
  int pid = 0;
};

class WorkerKeeper {
 public:
  using Progress = std::function<void(double fraction)>;  // of loading; on the keeper's thread

  // Waits until the model is loaded for the first time. `http` outlives this.
  static Result<std::unique_ptr<WorkerKeeper>> start(KeeperOptions options, net::HttpClient& http,
                                                     Progress progress, const StopToken& stop);
  ~WorkerKeeper();
  WorkerKeeper(const WorkerKeeper&) = delete;
  WorkerKeeper& operator=(const WorkerKeeper&) = delete;

  // nullptr while there is none.
  std::shared_ptr<const KeptWorker> current() const;
  // Waits for one; unavailable when the deadline passes.
  Result<std::shared_ptr<const KeptWorker>> wait_for_worker(Deadline deadline,
                                                            const StopToken& stop) const;
  // A call of this worker failed as if it were dead. It is handed out again once it proves to live.
  void suspect(const std::shared_ptr<const KeptWorker>& worker);
  // Ends this life of the worker, with all that is in its memory; the next one starts at once.
  void renew();
  std::uint32_t restarts() const;
  // What of the worker stands still, though it lives; nothing: it works, or there is none.
  std::optional<cluster::Stall> stall() const;
  // How its last lives ended, the newest last.
  std::vector<cluster::CrashReport> crash_reports() const;

 private:
  WorkerKeeper(KeeperOptions options, net::HttpClient& http, Progress progress,
               TemporaryDirectory directory);
  void keep();
  Result<std::unique_ptr<WorkerProcess>> start_process(std::uint32_t life);
  Result<std::shared_ptr<const KeptWorker>> open(const WorkerProcess& process);
  // What was wrong with it; nothing: it ended by itself, or is to be ended.
  std::optional<std::string> watch(WorkerProcess& process, const std::shared_ptr<const KeptWorker>& worker);
  std::string end_of(WorkerProcess& process, const std::shared_ptr<const KeptWorker>& worker);
  void show(std::shared_ptr<const KeptWorker> worker);
  void note(const std::optional<cluster::Stall>& found, int pid);
  bool pause(Duration delay);  // false: this is being destroyed

  const KeeperOptions options_;
  net::HttpClient& http_;
  const Progress progress_;
  const TemporaryDirectory directory_;
  StopSource stop_;

  mutable std::mutex mutex_;  // what follows
  mutable std::condition_variable changed_;
  std::shared_ptr<const KeptWorker> current_;
  bool suspected_ = false;
  std::optional<cluster::Stall> stall_;
  bool is_to_end_ = false;  // this life
  std::optional<Error> first_start_failed_;
  std::uint32_t restarts_ = 0;
  std::vector<cluster::CrashReport> crash_reports_;

  Thread thread_;
};

}  // namespace hearth::node
