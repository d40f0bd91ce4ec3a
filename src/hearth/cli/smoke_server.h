#pragma once
// `hearth serve` as a child, over a small model of known answers: what proves that this machine's
// engine, its templates and its APIs work before anything large is loaded.

#include <filesystem>
#include <memory>

#include "hearth/base/child_process.h"
#include "hearth/check/smoke.h"
#include "hearth/cli/progress.h"

namespace hearth::cli {

// A text, a question about it, and its answer.
check::KnownAnswer known_answer();

class SmokeServer {
 public:
  // Makes the model in the cache directory when it is not there.
  static Result<std::unique_ptr<SmokeServer>> start(Progress& progress, const StopToken& stop);
  const std::string& url() const { return url_; }

 private:
  SmokeServer(ChildProcess child, std::string url) : child_(std::move(child)), url_(std::move(url)) {}
  ChildProcess child_;
  std::string url_;
};

// Of hearth-worker beside this program: engine, engine_build.
Result<check::Versions> engine_versions(const StopToken& stop);

}  // namespace hearth::cli
