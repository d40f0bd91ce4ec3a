#include "hearth/cli/synth_model.h"

#include "hearth/base/child_process.h"
#include "hearth/cli/environment.h"
#include "hearth/net/ndjson.h"
#include "hearth/node/worker/worker_api.h"

namespace hearth::cli {
namespace {

constexpr Duration silence_max = std::chrono::minutes(10);

Result<Json> make(const std::vector<std::string>& arguments, const std::filesystem::path& output,
                  Progress& progress, const StopToken& stop) {
  const auto worker = TRY(find_worker_executable());
  ChildProcess child = TRY(ChildProcess::start(worker, arguments));
  net::NdjsonReader lines;
  while (true) {
    while (const auto event = TRY(lines.next())) {
      const auto kind = TRY(get<std::string>(*event, "event"));
      if (kind == "made") return *event;
      if (kind == "failed") return std::unexpected(node::error_from_json(*event));
      progress.update("making " + output.filename().string(),
                      get_or<double>(*event, "progress", 0).value_or(0));
    }
    const ByteSpan piece = TRY(child.read_output(Deadline::after(silence_max), stop));
    if (piece.empty()) {
      child.wait();
      return fail(Code::unavailable, "the maker of synthetic files ended early: it was " + child.how_it_ended());
    }
    TRY(lines.push(piece));
  }
}

}  // namespace

Result<Json> make_model(const SynthModelOptions& options, Progress& progress, const StopToken& stop) {
  return make({"synth", "--arch", options.architecture, "--size", options.size, "--type", options.type, "--weights",
               options.weights, "--seed", std::to_string(options.seed), "--output", options.output.string()},
              options.output, progress, stop);
}

Result<Json> make_adapter(const SynthAdapterOptions& options, Progress& progress, const StopToken& stop) {
  std::vector<std::string> arguments = {
      "synth-adapter", "--base", options.base.string(), "--rank", std::to_string(options.rank), "--strength",
      std::to_string(options.strength), "--seed", std::to_string(options.seed), "--output", options.output.string()};
  if (options.control_vector) arguments.push_back("--control-vector");
  return make(arguments, options.output, progress, stop);
}

}  // namespace hearth::cli
