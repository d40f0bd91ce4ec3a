#include "hearth/cli/smoke_server.h"

#include <fmt/format.h>

#include "hearth/base/check.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/synth_model.h"
#include "hearth/engine/synth/facts.h"

namespace hearth::cli {
namespace {

constexpr Duration tell_time_max = std::chrono::minutes(2);
constexpr std::size_t output_bytes_max = 64 * 1024;
constexpr std::size_t text_bytes = 600;

Result<std::filesystem::path> smoke_model(Progress& progress, const StopToken& stop) {
  SynthModelOptions options;
  options.output = TRY(cache_directory()) / "models" / "check-kimi-tiny-q8_0.gguf";
  std::error_code error;
  if (std::filesystem::exists(options.output, error)) return options.output;
  std::filesystem::create_directories(options.output.parent_path(), error);
  TRY(make_model(options, progress, stop));
  return options.output;
}

Result<std::string> read_all(ChildProcess& child, const StopToken& stop) {
  const Deadline deadline = Deadline::after(tell_time_max);
  std::string out;
  while (out.size() < output_bytes_max) {
    const ByteSpan piece = TRY(child.read_output(deadline, stop));
    if (piece.empty()) break;
    out += as_text(piece);
  }
  return out;
}

}  // namespace

check::KnownAnswer known_answer() {
  const auto planted = engine::plant_facts(/*seed=*/7, /*fact_count=*/3, text_bytes);
  CHECK(planted.has_value());
  const engine::Fact& fact = planted->facts.front();
  return {planted->text + "\n" + fact.question, fact.answer};
}

Result<std::unique_ptr<OwnServer>> start_smoke_server(Progress& progress, const StopToken& stop) {
  const auto model = TRY(smoke_model(progress, stop));
  return OwnServer::start(model, {"--no-store", "--context", "4096", "--sequences", "1"}, stop);
}

Result<check::Versions> engine_versions(const StopToken& stop) {
  ChildProcess child = TRY(ChildProcess::start(TRY(find_worker_executable()), {"devices"}));
  const Json json = TRY(parse_json(TRY(read_all(child, stop))));
  check::Versions out;
  out["engine"] = TRY(get<std::string>(json, "engine_version"));
  out["engine_build"] = TRY(get<std::string>(json, "engine_build"));
  const Json* devices = json.find("devices");
  for (std::size_t i = 0; devices != nullptr && devices->is_array() && i < devices->as_array().size(); ++i) {
    const Json& device = devices->as_array()[i];
    out[fmt::format("device.{}", i)] = fmt::format("{} {}", get_or<std::string>(device, "name", "").value_or(""),
                                                   get_or<std::string>(device, "description", "").value_or(""));
  }
  return out;
}

}  // namespace hearth::cli
