#pragma once
// The Engine over libllama (>= 0.7). Only the worker executable links this; llama.h stays in
// llama_*.cpp.
//
// libllama ends the process on faults that a service must survive (a lost RPC peer, a failed
// kernel), so nothing but a supervised child process should own one.

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hearth/engine/buffer_log.h"
#include "hearth/engine/engine.h"
#include "hearth/model/adapter_set.h"
#include "hearth/model/layout_identity.h"
#include "hearth/model/shape.h"

namespace hearth::engine {

// Layers that another machine computes, through ggml's RPC server there. An endpoint that does not
// answer ends the process: probe it first (node/pool/rpc_probe.h). Nothing protects this traffic;
// endpoints are loopback ends of tunnels.
struct RemoteLayers {
  std::string endpoint;  // "127.0.0.1:50052"
  std::uint32_t layers = 0;
};

struct LlamaEngineOptions {
  std::filesystem::path model_path;  // the file, or any shard
  std::uint32_t context_tokens = 8192;
  std::uint32_t sequences = 4;
  std::uint32_t batch_tokens = 1024;
  std::uint32_t ubatch_tokens = 512;
  model::KvType kv_type = model::KvType::f16;
  std::uint32_t threads = 0;          // 0: one per core
  std::string device = "auto";        // "auto", "cpu", or a device name that `devices` lists
  bool memory_map = true;
  bool scores = false;                // reserves memory for the logits of many tokens at once
  std::vector<model::AdapterSet> adapters{};  // loaded with the model; each is applied when asked for
  std::vector<RemoteLayers> remote{};  // in the order of the layers; this machine has the others
};

struct DeviceInfo {
  std::string name, description, kind;
  std::uint64_t memory_bytes = 0, free_bytes = 0;  // free: as the engine reports it
  std::uint32_t layers = 0;                        // of the loaded model
};

struct EngineInfo {
  std::string version;       // of libllama, as it reports itself
  std::string build;         // its build number
  std::string backend;       // of the device that computes: "CPU", "Vulkan0", ...
  std::vector<DeviceInfo> devices;
  model::ModelShape shape;
  std::vector<model::NamedAdapters> adapter_sets;
  std::optional<model::LayoutIdentity> identity;  // of the bare model; present when KV can be exported and imported
  std::string kv_refusal;                         // otherwise: why not
  std::string chat_template;
  Token bos_token = -1;
  bool adds_bos = false;     // the tokenizer wants a BOS before raw text
  std::uint64_t model_bytes = 0, kv_bytes = 0;
  BufferSizes buffers;  // as the engine logged them; zeros where it did not
};

using LoadProgress = std::function<void(double fraction)>;

class LlamaEngine : public Engine {
 public:
  virtual const EngineInfo& info() const = 0;  // any thread
};

// Loads backends once per process, then the model; proves that the KV state has the layout we
// parse (one token exported, validated, imported, compared), says in info() where it does not, and computes
// one ubatch that nobody asked for, so that the first prompt is as fast as any other.
// A fired `stop` ends loading with `cancelled`.
Result<std::unique_ptr<LlamaEngine>> load_llama_engine(const LlamaEngineOptions& options,
                                                       const LoadProgress& progress,
                                                       const StopToken& stop);

// Of the library that is linked: "0.7.0", and its build number.
std::string engine_version();
std::string engine_build();

// Loads ggml's backends into this process, once, before anything else asks the engine.
// Sends the engine's own log lines to ours.
void load_backends();

}  // namespace hearth::engine
