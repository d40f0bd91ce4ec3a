#include "hearth/node/worker/worker_process.h"

#include <fmt/format.h>
#include <signal.h>

#include "hearth/net/ndjson.h"
#include "hearth/node/worker/worker_api.h"

namespace hearth::node {

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::start(const std::filesystem::path& executable,
                                                            const WorkerOptions& options,
                                                            const Progress& progress,
                                                            Deadline deadline,
                                                            const StopToken& stop) {
  ChildProcess child = TRY(ChildProcess::start(executable, options.arguments(), {.defaults = {engine_short_spin}}));
  std::unique_ptr<WorkerProcess> worker(new WorkerProcess(std::move(child), options));
  TRY(worker->wait_until_ready(progress, deadline, stop));
  return worker;
}

void WorkerProcess::kill() {
  if (child_.is_running()) ::kill(child_.pid(), SIGKILL);  // not reaped: the number is still its own
  child_.wait();
}

Result<> WorkerProcess::wait_until_ready(const Progress& progress, Deadline deadline,
                                         const StopToken& stop) {
  net::NdjsonReader lines;
  while (true) {
    while (const auto event = TRY(lines.next())) {
      const auto kind = TRY(get<std::string>(*event, "event"));
      if (kind == "ready") return {};
      if (kind == "failed") return std::unexpected(error_from_json(*event));
      const double fraction = TRY(get_or<double>(*event, "progress", 0));
      if (progress) progress(fraction);
    }
    const ByteSpan piece = TRY(child_.read_output(deadline, stop));
    if (piece.empty()) {
      child_.wait();
      return fail(Code::unavailable, fmt::format("the worker for {} died while loading: {}",
                                                 options_.model_path.string(), how_it_ended()));
    }
    TRY(lines.push(piece));
  }
}

}  // namespace hearth::node
