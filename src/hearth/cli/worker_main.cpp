// hearth-worker: one loaded model behind a unix socket, and the maker of synthetic models. The only
// executable that links the inference library; started by hearth, rarely by hand.

#include <fmt/format.h>

#include <cstdlib>

#include "hearth/base/hardening.h"
#include "hearth/base/log.h"
#include "hearth/cli/command_line.h"
#include "hearth/cli/interrupt.h"
#include "hearth/cli/worker_output.h"
#include "hearth/cli/worker_synth.h"
#include "hearth/engine/engine_thread.h"
#include "hearth/engine/llama_devices.h"
#include "hearth/engine/llama_engine.h"
#include "hearth/engine/llama_rpc.h"
#include "hearth/net/http_server.h"
#include "hearth/node/pool/listening_port.h"
#include "hearth/node/pool/pool_api.h"
#include "hearth/node/pool/rpc_probe.h"
#include "hearth/node/worker/worker_options.h"
#include "hearth/node/worker/worker_service.h"

namespace hearth::cli {
namespace {

std::vector<node::WorkerDevice> worker_devices(const std::vector<engine::DeviceInfo>& devices) {
  std::vector<node::WorkerDevice> out;
  for (const engine::DeviceInfo& device : devices) {
    out.push_back({device.name, device.description, device.kind, device.memory_bytes, device.free_bytes,
                   device.layers});
  }
  return out;
}

node::PoolEngine pool_engine() {
  engine::load_backends();
  return {.version = engine::engine_version(), .build = engine::engine_build(),
          .rpc_protocol = engine::rpc_protocol(), .devices = worker_devices(engine::list_devices())};
}

// A dead endpoint would end the process where libllama connects; here it is an error.
Result<std::vector<engine::RemoteLayers>> probe_remote(const node::WorkerOptions& options,
                                                       const StopToken& stop) {
  std::vector<engine::RemoteLayers> out;
  if (options.remote.empty()) return out;
  // Tensor-parallel servers would talk to each other, past every tunnel.
  ::setenv("GGML_RPC_NO_COMM", "1", /*overwrite=*/1);
  engine::load_backends();
  for (const node::RemoteLayers& remote : options.remote) {
    TRY(node::probe_rpc(TRY(net::parse_address(remote.endpoint)), engine::rpc_protocol(), stop));
    out.push_back({.endpoint = remote.endpoint, .layers = remote.layers});
  }
  return out;
}

node::WorkerInfo describe(const engine::LlamaEngine& loaded, std::uint32_t chunk_tokens) {
  const engine::EngineInfo& info = loaded.info();
  node::WorkerInfo out;
  out.engine_version = info.version;
  out.engine_build = info.build;
  out.backend = info.backend;
  out.architecture = info.shape.architecture;
  out.model_name = info.shape.name;
  out.parameters_total = info.shape.parameters_total;
  out.parameters_active = info.shape.parameters_active;
  out.layers = info.shape.layers;
  out.model_bytes = info.model_bytes;
  out.kv_bytes = info.kv_bytes;
  out.buffers = info.buffers;
  out.devices = worker_devices(info.devices);
  out.limits = loaded.limits();
  out.adapter_sets = info.adapter_sets;
  out.chunk_tokens = chunk_tokens;
  out.identity = info.identity;
  out.kv_refusal = info.kv_refusal;
  out.chat_template = info.chat_template;
  out.bos_token = info.bos_token;
  out.adds_bos = info.adds_bos;
  return out;
}

int serve(const node::WorkerOptions& options) {
  const InterruptWatcher interrupts;
  start_log(options.name, options.verbose ? LogLevel::debug : LogLevel::warning);
  claim_output();
  if (const auto hardened = harden_process(); !hardened) return fail_start(hardened.error());  // prompts will be in it
  // A debugger's backtrace of a dying engine takes seconds in which nobody is served.
  if (!options.verbose) ::setenv("GGML_NO_BACKTRACE", "1", /*overwrite=*/0);
  // Whoever started us may die while we load.
  StopSource orphaned;
  const StopCallback on_interrupt(interrupts.token(), [&] { orphaned.request_stop(); });
  Thread parent_watch("parent_watch", [&] {
    wait_for_end_of_input(orphaned.token());
    orphaned.request_stop();
  });
  const auto run = [&]() -> Result<> {
    engine::LlamaEngineOptions load{.model_path = options.model_path,
                                    .context_tokens = options.context_tokens,
                                    .sequences = options.sequences,
                                    .batch_tokens = options.chunk_tokens,
                                    .ubatch_tokens = options.ubatch_tokens,
                                    .kv_type = TRY(model::parse_kv_type(options.kv_type)),
                                    .threads = options.threads,
                                    .device = options.device,
                                    .scores = options.scores,
                                    .adapters = options.adapters,
                                    .remote = TRY(probe_remote(options, orphaned.token()))};
    auto loaded = TRY(engine::load_llama_engine(
        load,
        [](double fraction) {
          tell(Json::object({{"event", "loading"}, {"progress", fraction}}));
        },
        orphaned.token()));
    const node::WorkerInfo info = describe(*loaded, options.chunk_tokens);
    engine::EngineThread thread(std::move(loaded), {.chunk_tokens = options.chunk_tokens});
    node::WorkerService service(thread, info, options.name);
    net::Listener listener =
        TRY(net::Listener::listen(net::Address::unix_socket(options.socket_path.string())));
    const auto server = TRY(net::HttpServer::start(std::move(listener), service.routes()));
    tell(Json::object({{"event", "ready"}}));
    wait_for_end_of_input(orphaned.token());
    server->stop();
    return {};
  };
  const Result<> result = run();
  orphaned.request_stop();
  return result ? exit_done : fail_start(result.error());
}

int show_devices() {
  start_log("devices", LogLevel::warning);
  claim_output();
  tell(node::engine_json(pool_engine()));
  return exit_done;
}

// Serves until standard input ends. The engine's server never returns, so this thread is its own.
int serve_rpc(std::uint32_t port, const std::string& device, std::uint32_t threads, bool verbose) {
  const InterruptWatcher interrupts;
  start_log("rpc", verbose ? LogLevel::debug : LogLevel::warning);
  claim_output();
  if (const auto hardened = harden_process(); !hardened) return fail_start(hardened.error());  // KV will be in it
  if (!verbose) ::setenv("GGML_NO_BACKTRACE", "1", /*overwrite=*/0);
  ::setenv("GGML_RPC_NO_COMM", "1", /*overwrite=*/1);
  Json ready = node::engine_json(pool_engine());
  Thread parent_watch("parent_watch", [&] {
    if (const auto listening = node::own_listening_port(interrupts.token())) {
      ready.set("event", "ready");
      ready.set("port", *listening);
      tell(ready);
      wait_for_end_of_input(interrupts.token());
      std::_Exit(exit_done);
    }
  });
  return fail_start(engine::serve_rpc(static_cast<std::uint16_t>(port), device, threads).error());
}

Result<> read_lists(const std::vector<std::string>& remote, const std::vector<std::string>& adapters,
                    node::WorkerOptions& options) {
  for (const std::string& text : remote) options.remote.push_back(TRY(node::RemoteLayers::parse(text)));
  for (const std::string& text : adapters) {
    const Json json = TRY(parse_json(text));
    options.adapters.push_back(TRY(model::adapter_set_from_json(json)));
  }
  return {};
}

}  // namespace

int worker_main(int argc, char** argv) {
  node::WorkerOptions options;
  std::uint32_t port = 0;
  std::vector<std::string> remote, adapters;
  const std::vector<Verb> verbs = {
      {.name = "serve",
       .summary = "load a model and serve it on a unix socket until standard input ends",
       .example = "hearth-worker serve --model model.gguf --socket /tmp/w.sock",
       .declare =
           [&](Flags& flags) {
             flags.path("--model", options.model_path, "GGUF file, or any shard of one");
             flags.required();
             flags.path("--socket", options.socket_path, "unix socket to listen on");
             flags.required();
             flags.count("--context", options.context_tokens, "tokens of KV shared by all sequences");
             flags.count("--sequences", options.sequences, "answers at the same time");
             flags.count("--chunk-tokens", options.chunk_tokens, "tokens of one KV chunk and of one batch");
             flags.toggle("--scores", options.scores, "keep room for scoring texts (POST /v1/score)");
             flags.count("--ubatch", options.ubatch_tokens, "tokens computed at once");
             flags.text("--kv-type", options.kv_type, "number format of the KV cache");
             flags.count("--threads", options.threads, "0: one per core");
             flags.text("--device", options.device, "auto, cpu, or a device's name");
             flags.list("--remote", remote, "HOST:PORT=LAYERS: that many layers lie behind an RPC server; "
                                            "may be given again");
             flags.list("--adapter", adapters, "an adapter set as JSON (hearth run and serve make it); may be given again");
             flags.text("--name", options.name, "name in logs and chunks");
             flags.toggle("--verbose", options.verbose, "the engine's own log too");
           },
       .run =
           [&] {
             const auto read = read_lists(remote, adapters, options);
             if (!read) return report(read.error());
             return serve(options);
           }},
      {.name = "devices",
       .summary = "what the engine finds to compute with here, as JSON",
       .declare = [](Flags&) {},
       .run = [&] { return show_devices(); }},
      {.name = "rpc",
       .summary = "compute layers of another machine's worker, on loopback, until standard input ends",
       .example = "hearth-worker rpc --port 50052",
       .declare =
           [&](Flags& flags) {
             flags.count("--port", port, "port on 127.0.0.1; 0: any free one, told in the event \"ready\"");
             flags.text("--device", options.device, "auto, cpu, or a device's name");
             flags.count("--threads", options.threads, "0: one per core");
             flags.toggle("--verbose", options.verbose, "the engine's own log too");
           },
       .run = [&] { return serve_rpc(port, options.device, options.threads, options.verbose); }},
      worker_synth_verb(),
      worker_synth_adapter_verb(),
  };
  return run_command_line(argc, argv, "hearth-worker: one loaded model on a unix socket.",
                          HEARTH_VERSION, verbs);
}

}  // namespace hearth::cli

int main(int argc, char** argv) { return hearth::cli::worker_main(argc, argv); }
