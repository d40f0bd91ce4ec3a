#include "hearth/node/worker/worker_options.h"

namespace hearth::node {

std::vector<std::string> WorkerOptions::arguments() const {
  std::vector<std::string> out = {"serve",      "--model",     model_path.string(),
                                  "--socket",   socket_path.string(),
                                  "--context",  std::to_string(context_tokens),
                                  "--sequences", std::to_string(sequences),
                                  "--chunk-tokens", std::to_string(chunk_tokens),
                                  "--ubatch",   std::to_string(ubatch_tokens),
                                  "--kv-type",  kv_type,
                                  "--threads",  std::to_string(threads),
                                  "--device",   device,
                                  "--name",     name};
  if (verbose) out.push_back("--verbose");
  return out;
}

}  // namespace hearth::node
