#pragma once
// The engine's RPC server on this machine's loopback, as a child process that is kept running
// (cluster/supervisor.h decides when it is started again). It ends with us.
//
// Thread-safe. Its own thread ("rpc_keeper") owns the process.

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "hearth/base/child_process.h"
#include "hearth/base/stop.h"
#include "hearth/base/thread.h"
#include "hearth/net/address.h"
#include "hearth/node/pool/pool_api.h"

namespace hearth::cluster {
class Supervisor;
}

namespace hearth::node {

struct RpcServerOptions {
  std::filesystem::path worker_executable;
  std::string device = "auto";
  std::uint32_t threads = 0;  // 0: one per core
  Duration start_time_max = std::chrono::seconds(60);
};

class RpcServer {
 public:
  // Waits until it listens for the first time; a first start that fails is an error.
  static Result<std::unique_ptr<RpcServer>> start(RpcServerOptions options, const StopToken& stop);
  ~RpcServer();
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  struct Running {
    net::Address address;  // on loopback
    PoolEngine engine;     // as it was when the server started
    int pid = 0;
  };
  // unavailable while it is being started again.
  Result<Running> running() const;
  std::uint32_t restarts() const;

 private:
  explicit RpcServer(RpcServerOptions options);
  void keep();
  Result<> run_once(cluster::Supervisor& supervisor);
  Result<Running> read_ready(ChildProcess& child);
  void show(std::optional<Running> running);

  const RpcServerOptions options_;
  StopSource stop_;
  mutable std::mutex mutex_;  // what follows
  mutable std::condition_variable changed_;
  std::optional<Running> running_;
  std::optional<Error> first_start_failed_;
  std::uint32_t restarts_ = 0;
  bool was_running_ = false;
  Thread thread_;
};

// Runs `hearth-worker devices`: this machine's engine and what it computes with.
Result<PoolEngine> ask_engine(const std::filesystem::path& worker_executable, Deadline deadline,
                              const StopToken& stop);

}  // namespace hearth::node
