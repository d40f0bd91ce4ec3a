#include "hearth/cli/bench_setting.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <fstream>

#include "hearth/cli/environment.h"
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

// All shards of a model, by its name; whether they are there is another matter.
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

Json bench_environment(const std::vector<bench::TargetInfo>& targets, const std::vector<fetch::WatchedFile>& watched,
                       const std::vector<std::string>& energy_of) {
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
  for (const fetch::WatchedFile& one : watched) {
    files.push(Json::object({{"file", one.file.string()}, {"bytes", one.stamp.bytes}, {"sha256", one.sha256.hex()}}));
  }
  Json parts = Json::array();
  for (const std::string& part : energy_of) parts.push(part);
  return Json::object({{"hearth", HEARTH_VERSION}, {"machine", machine.name}, {"processor", processor_name()},
                       {"cores", machine.threads}, {"memory_bytes", machine.memory_bytes}, {"available_bytes", machine.available_bytes},
                       {"system", fmt::format("{} {} {}", system.sysname, system.release, system.machine)},
                       {"load_average", load_average()}, {"energy_of", std::move(parts)},
                       {"targets", std::move(list)}, {"files", std::move(files)}});
}

Result<fetch::FileWatch> watch_models(const std::vector<fs::path>& models, Progress& progress, const StopToken& stop) {
  std::vector<fs::path> files;
  for (const fs::path& model : models) {
    for (const fs::path& file : files_of(model)) {
      if (std::ranges::find(files, file) == files.end()) files.push_back(file);
    }
  }
  auto memory = fetch::DigestMemory::open(TRY(cache_directory()) / "digests");
  const auto tell = [&](std::uint64_t done, std::uint64_t total) {
    const double share = static_cast<double>(done) / static_cast<double>(std::max<std::uint64_t>(total, 1));
    progress.update("reading models, once", share);
  };
  return fetch::FileWatch::begin(files, std::move(memory), tell, stop);
}

}  // namespace hearth::cli
