#include "hearth/engine/llama_load.h"

#include <fmt/format.h>
#include <llama.h>

#include <algorithm>
#include <array>
#include <thread>

#include "hearth/engine/llama_process.h"

namespace hearth::engine {
namespace {

ggml_type ggml_type_of(model::KvType type) { return static_cast<ggml_type>(type); }

}  // namespace

void ModelDeleter::operator()(llama_model* model) const { llama_model_free(model); }
void ContextDeleter::operator()(llama_context* context) const { llama_free(context); }

Result<ModelHandle> load_model(const LlamaEngineOptions& options, DevicePlacement& placement,
                               const model::ModelShape& shape, const LoadProgress& progress,
                               const StopToken& stop) {
  struct Watch {
    const LoadProgress& progress;
    const StopToken& stop;
  } watch{progress, stop};
  llama_model_params params = llama_model_default_params();
  params.devices = placement.devices.data();
  params.n_gpu_layers = placement.gpu_layers;
  placement.split.resize(placement.split.empty() ? 0 : llama_max_devices());
  params.tensor_split = placement.split.empty() ? nullptr : placement.split.data();
  const std::array<llama_model_tensor_buft_override, 2> output_on_cpu = {
      {{"^output", ggml_backend_cpu_buffer_type()}, {nullptr, nullptr}}};
  if (placement.output_on_cpu) params.tensor_buft_overrides = output_on_cpu.data();
  // libllama 0.7 puts the three-dimensional matrices of MLA into AMX buffers, for which it then
  // finds no backend, and ends the process.
  params.use_extra_bufts = !(shape.mla.has_value() && cpu_has_buffers("AMX"));
  params.load_mode = options.memory_map ? LLAMA_LOAD_MODE_AUTO : LLAMA_LOAD_MODE_NONE;
  params.progress_callback_user_data = &watch;
  params.progress_callback = [](float fraction, void* data) {
    const auto* watching = static_cast<Watch*>(data);
    if (watching->progress) watching->progress(double{fraction});
    return !watching->stop.stop_requested();
  };
  ModelHandle model(llama_model_load_from_file(options.model_path.c_str(), params));
  if (stop.stop_requested()) return fail(Code::cancelled, "loading was cancelled");
  if (!model) {
    return fail(Code::unsupported, fmt::format("the engine cannot load {}: {}",
                                               options.model_path.string(), last_complaint()));
  }
  return model;
}

std::uint32_t score_rows(const llama_model& model, const LlamaEngineOptions& options) {
  if (!options.scores) return 0;
  const auto row_bytes = sizeof(float) * static_cast<std::uint64_t>(llama_vocab_n_tokens(llama_model_get_vocab(&model)));
  const std::uint64_t rows = std::max<std::uint64_t>(1, score_slice_bytes_max / row_bytes);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(rows, options.batch_tokens));
}

// A step computes a token of every answer, and one of a prompt beside them.
std::uint32_t batch_tokens(const LlamaEngineOptions& options, std::uint32_t ubatch_tokens) {
  if (options.sequences < options.batch_tokens) return options.batch_tokens;
  return (options.sequences + ubatch_tokens) / ubatch_tokens * ubatch_tokens;
}

Result<ContextHandle> make_context(llama_model& model, const LlamaEngineOptions& options,
                                   StopToken& decode_stop) {
  if (options.sequences == 0 || options.batch_tokens == 0 || options.ubatch_tokens == 0) {
    return fail(Code::invalid_argument, fmt::format("sequences ({}), batch ({}) and ubatch ({}) are at least 1",
                                                    options.sequences, options.batch_tokens, options.ubatch_tokens));
  }
  const std::uint32_t threads =
      options.threads > 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
  llama_context_params params = llama_context_default_params();
  params.n_ctx = options.context_tokens;
  params.n_ubatch = std::min(options.ubatch_tokens, options.batch_tokens);
  params.n_batch = batch_tokens(options, params.n_ubatch);
  params.n_seq_max = options.sequences + 1;      // the last one is the scratch of state transfer
  // One row of logits per answer, not per token.
  params.n_outputs_max = options.sequences + 1 + score_rows(model, options);
  params.n_threads = static_cast<int>(threads);
  params.n_threads_batch = static_cast<int>(threads);
  params.type_k = ggml_type_of(options.kv_type);
  params.type_v = ggml_type_of(options.kv_type);
  params.kv_unified = true;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  params.swa_full = false;
  params.no_perf = true;
  // Weights of the CPU stay there: sending them to another machine for a long batch never pays.
  params.op_offload = options.remote.empty();
  params.abort_callback_data = &decode_stop;
  params.abort_callback = [](void* data) {
    const bool stop = static_cast<const StopToken*>(data)->stop_requested();
    if (stop) expect_complaints(true);
    return stop;
  };
  ContextHandle context(llama_init_from_model(&model, params));
  if (!context) {
    return fail(Code::resource_exhausted,
                fmt::format("the engine cannot make a context of {} tokens with {} KV: {}",
                            options.context_tokens, model::kv_type_name(options.kv_type),
                            last_complaint()));
  }
  return context;
}

}  // namespace hearth::engine
