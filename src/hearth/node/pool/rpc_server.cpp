#include "hearth/node/pool/rpc_server.h"

#include <fmt/format.h>

#include "hearth/base/log.h"
#include "hearth/cluster/supervisor.h"
#include "hearth/net/http_error.h"
#include "hearth/net/ndjson.h"
#include "hearth/node/worker/worker_events.h"
#include "hearth/node/worker/worker_options.h"

namespace hearth::node {
namespace {

// The first event that the child prints.
Result<Json> read_event(ChildProcess& child, Deadline deadline, const StopToken& stop) {
  net::NdjsonReader lines;
  while (true) {
    if (auto event = TRY(lines.next())) {
      if (event->find("error") != nullptr) return std::unexpected(error_from_json(*event));
      return *std::move(event);
    }
    const ByteSpan piece = TRY(child.read_output(deadline, stop));
    if (piece.empty()) {
      child.wait();
      return fail(Code::unavailable, "it " + child.how_it_ended());
    }
    TRY(lines.push(piece));
  }
}

}  // namespace

Result<PoolEngine> ask_engine(const std::filesystem::path& worker_executable, Deadline deadline,
                              const StopToken& stop) {
  ChildProcess child = TRY(ChildProcess::start(worker_executable, {"devices"}));
  const Json event = TRY(read_event(child, deadline, stop));
  return engine_from_json(event);
}

Result<std::unique_ptr<RpcServer>> RpcServer::start(RpcServerOptions options, const StopToken& stop) {
  std::unique_ptr<RpcServer> server(new RpcServer(std::move(options)));
  const StopCallback wake(stop, [raw = server.get()] {  // `server` is given away before this ends
    const std::lock_guard hold(raw->mutex_);
    raw->changed_.notify_all();
  });
  std::unique_lock hold(server->mutex_);
  server->changed_.wait(hold, [&] {
    return server->was_running_ || server->first_start_failed_ || stop.stop_requested();
  });
  if (server->was_running_) {
    hold.unlock();
    return server;
  }
  Error error = server->first_start_failed_ ? *server->first_start_failed_
                                            : Error{Code::cancelled, "stopped while the RPC server started"};
  hold.unlock();
  return std::unexpected(std::move(error));
}

RpcServer::RpcServer(RpcServerOptions options)
    : options_(std::move(options)), thread_("rpc_keeper", [this] { keep(); }) {}

RpcServer::~RpcServer() {
  stop_.request_stop();
  thread_.join();
}

Result<RpcServer::Running> RpcServer::running() const {
  const std::lock_guard hold(mutex_);
  if (running_) return *running_;
  return fail(Code::unavailable, "the RPC server is being started; try again soon");
}

std::uint32_t RpcServer::restarts() const {
  const std::lock_guard hold(mutex_);
  return restarts_;
}

void RpcServer::keep() {
  cluster::Supervisor supervisor;
  while (!stop_.stop_requested()) {
    const cluster::SupervisorAction action = supervisor.next(std::chrono::steady_clock::now());
    if (const auto* until = std::get_if<cluster::PauseUntil>(&action)) {
      if (stopped_while_waiting(stop_.token(), Deadline::at(until->when))) return;
      continue;
    }
    {
      const std::lock_guard hold(mutex_);
      restarts_ = supervisor.restarts();
    }
    const auto ended = run_once(supervisor);
    show(std::nullopt);
    if (stop_.stop_requested()) return;
    const std::string how = ended.error().message;
    {
      const std::lock_guard hold(mutex_);
      if (!was_running_) {
        first_start_failed_ = ended.error();
        changed_.notify_all();
        return;
      }
    }
    log_error("the RPC server " + how);
    supervisor.on_ended(how, std::chrono::steady_clock::now());
  }
}

// Always ends in an Error: how it ended, or why it did not start.
Result<> RpcServer::run_once(cluster::Supervisor& supervisor) {
  std::vector<std::string> arguments = {"rpc", "--device", options_.device, "--threads",
                                        std::to_string(options_.threads)};
  ChildProcess child = TRY(ChildProcess::start(options_.worker_executable, std::move(arguments),
                                                {.defaults = {engine_short_spin}}));
  show(TRY(read_ready(child)));
  supervisor.on_running();
  // It prints no more: the end of its output is its own.
  while (!TRY(child.read_output(Deadline::never(), stop_.token())).empty()) {}
  child.wait();
  return fail(Code::unavailable, child.how_it_ended());
}

Result<RpcServer::Running> RpcServer::read_ready(ChildProcess& child) {
  const Json event = TRY(read_event(child, Deadline::after(options_.start_time_max), stop_.token()));
  Running out{.address = {}, .engine = TRY(engine_from_json(event)), .pid = child.pid()};
  const auto port = TRY(get<std::uint32_t>(event, "port"));
  out.address = net::Address::tcp("127.0.0.1", static_cast<std::uint16_t>(port));
  return out;
}

void RpcServer::show(std::optional<Running> running) {
  {
    const std::lock_guard hold(mutex_);
    was_running_ = was_running_ || running.has_value();
    running_ = std::move(running);
  }
  changed_.notify_all();
}

}  // namespace hearth::node
