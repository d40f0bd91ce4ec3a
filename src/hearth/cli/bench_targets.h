#pragma once
// What `hearth bench` measures, by what people give: KIND=URL of a service, or worker=FILE and
// split=FILE for a worker, or a pair of which one only prefills, that this program starts itself.

#include <memory>

#include "hearth/bench/target.h"
#include "hearth/cli/progress.h"
#include "hearth/net/http_client.h"

namespace hearth::cli {

struct BenchTargets {
  std::unique_ptr<net::HttpClient> http;  // outlives the targets
  std::vector<std::unique_ptr<bench::Target>> targets;
};

struct WorkerSettings {
  std::uint32_t context_tokens = 16'384, sequences = 4, chunk_tokens = 1'024, ubatch_tokens = 512, threads = 0;
  std::string kv_type = "f16", device = "auto";
};

struct TargetName {
  std::string name, kind;
  std::filesystem::path model;  // of a worker that is started here
};
// "NAME:KIND=PLACE"; names must differ, and default to the kind with what tells it apart. Nothing is opened.
Result<std::vector<TargetName>> target_names(const std::vector<std::string>& texts);

// Of texts that target_names accepts.
Result<BenchTargets> open_targets(const std::vector<std::string>& texts, const WorkerSettings& settings, Progress& progress,
                                  const StopToken& stop);

}  // namespace hearth::cli
