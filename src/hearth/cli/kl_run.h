#pragma once
// One comparison of hearth eval kl, from texts to a report: workers are started as they are needed, one
// at a time, and everything computed is in a folder from which the same call goes on.

#include <filesystem>
#include <string>
#include <vector>

#include "hearth/base/stop.h"
#include "hearth/eval/kl/kl_report.h"
#include "hearth/node/worker/worker_options.h"

namespace hearth::cli {

struct KlSettings {
  std::filesystem::path base, candidate;
  std::filesystem::path
      record;  // empty: in the cache directory, named after base, texts and windows
  std::vector<std::string> texts;
  eval::WindowOptions windows;
  std::string chat_format;  // of transcripts; empty: by the model's template
  node::WorkerOptions worker;
  eval::KlThresholds thresholds;
  bool floor = false;  // also the base model with itself
};

Result<eval::KlReport> run_kl(const KlSettings& settings, const StopToken& stop);

}  // namespace hearth::cli
