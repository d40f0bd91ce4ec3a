#include "hearth/cli/bench_setting.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <fstream>

#include "hearth/cli/environment.h"
#include "hearth/fetch/file_digests.h"
#include "hearth/model/shards.h"
#include "hearth/node/probe/machine_probe.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

// "model name : AMD EPYC 7B13" of Linux; empty elsewhere.
std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name") && line.find(": ") != std::string::npos) return line.substr(line.find(": ") + 2);
  }
  return {};
}

double load_average() {
  double load = 0;
  return ::getloadavg(&load, 1) == 1 ? load : 0;
}

// All files of a model; those that are not there are left out.
std::vector<fs::path> files_of(const fs::path& model) {
  const auto split = model::parse_shard_name(model.filename().string());
  if (!split) return {model};
  std::vector<fs::path> out;
  for (std::uint32_t number = 1; number <= split->count; ++number) {
    out.push_back(model.parent_path() / model::shard_file_name({split->stem, number, split->count}));
  }
  return out;
}

}  // namespace

Json bench_environment(const std::vector<bench::TargetInfo>& targets, const std::vector<fs::path>& models) {
  utsname system{};
  ::uname(&system);
  const node::MachineFacts machine = node::machine_facts();
  Json list = Json::array();
  for (const bench::TargetInfo& target : targets) {
    Json one = Json::object({{"name", target.name}, {"kind", target.kind}, {"model", target.model}, {"build", target.build}});
    if (target.load_s) one.set("load_s", *target.load_s);
    list.push(std::move(one));
  }
  Json files = Json::array();
  for (const fs::path& model : models) {
    for (const fs::path& file : files_of(model)) {
      const auto stamp = fetch::stamp_of(file);
      files.push(Json::object({{"file", file.string()}, {"bytes", stamp ? Json(stamp->bytes) : Json()},
                                {"changed_ns", stamp ? Json(stamp->changed_ns) : Json()}}));
    }
  }
  return Json::object({{"hearth", HEARTH_VERSION}, {"machine", machine.name}, {"processor", processor_name()},
                       {"cores", machine.threads}, {"memory_bytes", machine.memory_bytes}, {"available_bytes", machine.available_bytes},
                       {"system", fmt::format("{} {} {}", system.sysname, system.release, system.machine)},
                       {"load_average", load_average()}, {"targets", std::move(list)}, {"files", std::move(files)}});
}

std::function<std::optional<double>()> energy_counter() {
  const fs::path file = "/sys/class/powercap/intel-rapl:0/energy_uj";
  if (!std::ifstream(file).good()) return {};
  return [file]() -> std::optional<double> {
    double microjoules = 0;
    std::ifstream in(file);
    return in >> microjoules ? std::optional(microjoules / 1e6) : std::nullopt;
  };
}

Result<std::function<Result<>()>> watch_models(const std::vector<fs::path>& models) {
  std::vector<std::pair<fs::path, fetch::FileStamp>> watched;
  for (const fs::path& model : models) {
    for (const fs::path& file : files_of(model)) watched.emplace_back(file, TRY(fetch::stamp_of(file)));
  }
  return [watched]() -> Result<> {
    for (const auto& [file, stamp] : watched) {
      const auto now = fetch::stamp_of(file);
      if (!now || *now != stamp) return fail(Code::corrupt, fmt::format("{} changed while it was measured", file.string()));
    }
    return {};
  };
}

}  // namespace hearth::cli
