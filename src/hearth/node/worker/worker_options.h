#pragma once
// What a worker process is started with. The same names are its command line (hearth-worker serve
// --help) and the fields of whoever starts it.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hearth::node {

struct WorkerOptions {
  std::filesystem::path model_path;
  std::filesystem::path socket_path;
  std::uint32_t context_tokens = 8192;
  std::uint32_t sequences = 4;
  std::uint32_t chunk_tokens = 1024;  // also the batch: one slice of a prompt is one chunk
  std::uint32_t ubatch_tokens = 512;
  std::string kv_type = "f16";
  std::uint32_t threads = 0;  // 0: one per core
  std::string device = "auto";
  std::string name = "worker";
  bool verbose = false;

  // "serve --model … --socket …"
  std::vector<std::string> arguments() const;
};

}  // namespace hearth::node
