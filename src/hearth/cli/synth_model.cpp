#include "hearth/cli/synth_model.h"

#include "hearth/base/child_process.h"
#include "hearth/cli/environment.h"
#include "hearth/net/ndjson.h"
#include "hearth/node/worker/worker_api.h"

namespace hearth::cli {
namespace {

constexpr Duration silence_max = std::chrono::minutes(10);

}  // namespace

Result<Json> make_model(const SynthModelOptions& options, Progress& progress, const StopToken& stop) {
  const auto worker = TRY(find_worker_executable());
  ChildProcess child = TRY(ChildProcess::start(
      worker, {"synth", "--arch", options.architecture, "--size", options.size, "--type",
               options.type, "--weights", options.weights, "--seed", std::to_string(options.seed),
               "--output", options.output.string()}));
  net::NdjsonReader lines;
  while (true) {
    while (const auto event = TRY(lines.next())) {
      const auto kind = TRY(get<std::string>(*event, "event"));
      if (kind == "made") return *event;
      if (kind == "failed") return std::unexpected(node::error_from_json(*event));
      progress.update("making " + options.output.filename().string(),
                      get_or<double>(*event, "progress", 0).value_or(0));
    }
    const ByteSpan piece = TRY(child.read_output(Deadline::after(silence_max), stop));
    if (piece.empty()) {
      child.wait();
      return fail(Code::unavailable, "hearth-worker synth ended early: it was " + child.how_it_ended());
    }
    TRY(lines.push(piece));
  }
}

}  // namespace hearth::cli
