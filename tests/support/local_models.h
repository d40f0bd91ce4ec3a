#pragma once
// The synthetic models that the build makes for tests (tests/CMakeLists.txt), and the worker that
// serves them.

#include <filesystem>
#include <string>

#include "hearth/node/local_run.h"

namespace hearth::testing {

inline std::filesystem::path tiny_model(const std::string& architecture,
                                        const std::string& type = "q8_0") {
  return std::filesystem::path(HEARTH_TEST_MODELS) / (architecture + "-tiny-" + type + ".gguf");
}

// Two threads: workers compute in turn. No store unless a test sets one.
inline node::LocalRunOptions local_run_options(const std::string& architecture,
                                               const std::string& kv_type = "f16") {
  node::LocalRunOptions options;
  options.worker_executable = HEARTH_WORKER_EXECUTABLE;
  options.worker.model_path = tiny_model(architecture);
  options.worker.kv_type = kv_type;
  options.worker.device = "cpu";
  options.worker.threads = 2;
  return options;
}

}  // namespace hearth::testing
