#pragma once
// What a worker process is started with. The same names are its command line (hearth-worker serve
// --help) and the fields of whoever starts it.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/model/adapter_set.h"

namespace hearth::node {

// For the environment of every process that computes. libgomp's threads spin for milliseconds before
// they sleep. Whoever else needs a core then waits, and when that is one of its own, all wait for
// each other: on busy cores decoding got ten to six hundred times slower. About 10 microseconds lose
// nothing on quiet ones (docs/benchmarks.md).
inline constexpr const char* engine_short_spin = "GOMP_SPINCOUNT=2000";

// Layers that lie behind an RPC endpoint on loopback: "127.0.0.1:50052=12".
struct RemoteLayers {
  std::string endpoint;
  std::uint32_t layers = 0;

  std::string text() const;
  static Result<RemoteLayers> parse(std::string_view text);
};

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
  bool scores = false;        // texts can be scored (POST /v1/score); costs memory
  std::vector<model::AdapterSet> adapters{};  // that requests may ask for
  std::vector<RemoteLayers> remote{};  // in the order of the layers; the others are this machine's

  // "serve --model … --socket …"
  std::vector<std::string> arguments() const;
};

}  // namespace hearth::node
