#pragma once
// KV by position range, out of a libllama context and into it, by way of a scratch sequence.
// See model/state_layout.h for the blobs.

#include <cstdint>
#include <optional>

#include "hearth/base/bytes.h"
#include "hearth/base/buffer_pool.h"
#include "hearth/engine/engine.h"
#include "hearth/model/state_layout.h"

struct llama_context;

namespace hearth::engine {

class LlamaState {
 public:
  // `scratch` is a sequence of the context that nobody else uses.
  LlamaState(llama_context* context, std::int32_t scratch)
      : context_(context), scratch_(scratch) {}

  // Computes a few tokens with `engine`, exports them, imports them elsewhere and exports them again:
  // one, more than a window where there is one, and in two pieces where there is a recurrent state.
  // Everything that can be different about the state of a new engine release, a new architecture
  // or a new environment shows here, before any KV is trusted; without it no range moves.
  Result<model::StateLayout> prove(Engine& engine, Token token, const model::StateLayout& expected);

  Result<Buffer> export_range(SequenceId sequence, TokenRange range,
                              model::Completeness completeness);
  Result<model::Completeness> import_range(SequenceId sequence, TokenRange range, ByteSpan blob);

 private:
  Result<> compute(Engine& engine, Token token, TokenRange range);
  Result<> prove_round_trip(Engine& engine, Token token, TokenRange first);
  Result<Buffer> raw_export(SequenceId sequence, TokenRange range);

  llama_context* context_;
  std::int32_t scratch_;
  const std::shared_ptr<BufferPool> exports_ = BufferPool::create();
  std::optional<model::StateLayout> layout_;  // absent: not proved
};

}  // namespace hearth::engine
