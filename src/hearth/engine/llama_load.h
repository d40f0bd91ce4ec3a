#pragma once
// A model and a context of libllama, made with the settings that Hearth relies on.

#include <memory>

#include "hearth/base/stop.h"
#include "hearth/engine/llama_devices.h"
#include "hearth/engine/llama_engine.h"
#include "hearth/model/shape.h"

struct llama_context;
struct llama_model;

namespace hearth::engine {

struct ModelDeleter {
  void operator()(llama_model* model) const;
};
struct ContextDeleter {
  void operator()(llama_context* context) const;
};
using ModelHandle = std::unique_ptr<llama_model, ModelDeleter>;
using ContextHandle = std::unique_ptr<llama_context, ContextDeleter>;

// options.model_path is the first shard. `placement` outlives the model.
Result<ModelHandle> load_model(const LlamaEngineOptions& options, DevicePlacement& placement,
                               const model::ModelShape& shape, const LoadProgress& progress,
                               const StopToken& stop);

// Logits of one slice of a text that is scored: they are held twice, by the engine and on their way
// to the reader. A vocabulary of 163,840 gives 204 rows.
inline constexpr std::uint64_t score_slice_bytes_max = 128u << 20;
std::uint32_t score_rows(const llama_model& model, const LlamaEngineOptions& options);

// One sequence more than options.sequences, for the transfer of state. While `decode_stop`, which
// outlives the context, is fired, a decode ends early.
Result<ContextHandle> make_context(llama_model& model, const LlamaEngineOptions& options,
                                   StopToken& decode_stop);

}  // namespace hearth::engine
