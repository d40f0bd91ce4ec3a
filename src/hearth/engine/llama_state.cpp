#include "hearth/engine/llama_state.h"

#include <fmt/format.h>
#include <llama.h>

#include <algorithm>
#include <vector>

#include "hearth/base/check.h"
#include "hearth/engine/llama_process.h"

namespace hearth::engine {

namespace {

constexpr SequenceId proof_sequence{0};

// In a window's cache a blob of more tokens than the window has only the last ones.
std::uint32_t proof_tokens(const model::StateLayout& layout, const EngineLimits& limits) {
  std::uint32_t tokens = 1;
  for (const model::CacheLayout& cache : layout.caches) {
    if (cache.window_tokens > 0) tokens = std::max(tokens, cache.window_tokens + 1);
  }
  return std::min(tokens, std::min(limits.batch_tokens, limits.context_tokens));
}

}  // namespace

Result<> LlamaState::compute(Engine& engine, Token token, TokenRange range) {
  std::vector<BatchItem> items;
  for (std::uint32_t position = range.begin; position < range.end; ++position) {
    items.push_back({token, position, proof_sequence, /*wants_logits=*/false});
  }
  return engine.decode(items, {});
}

Result<model::StateLayout> LlamaState::prove(Engine& engine, Token token,
                                             const model::StateLayout& expected) {
  const TokenRange first{0, proof_tokens(expected, engine.limits())};
  TRY(compute(engine, token, first));
  const Buffer raw = TRY(raw_export(proof_sequence, first));
  layout_ = TRY(model::learn_state_layout(raw.span(), expected, first));
  if (auto proved = prove_round_trip(engine, token, first); !proved) {
    layout_.reset();
    return std::unexpected(std::move(proved).error());
  }
  return *layout_;
}

Result<> LlamaState::prove_round_trip(Engine& engine, Token token, TokenRange first) {
  using model::Completeness;
  const SequenceId second{engine.limits().sequences > 1 ? 1 : 0};
  TokenRange last = first;
  Buffer partial;
  if (layout_->recurrent) {
    partial = TRY(export_range(proof_sequence, first, Completeness::partial));
    last = {first.end, first.end + 1};
    TRY(compute(engine, token, last));
  }
  const Buffer exported = TRY(export_range(proof_sequence, last, Completeness::whole));
  TRY(engine.truncate(proof_sequence, 0));
  if (layout_->recurrent) TRY(import_range(second, first, partial.span()));
  TRY(import_range(second, last, exported.span()));
  const Buffer again = TRY(export_range(second, last, Completeness::whole));
  TRY(engine.truncate(second, 0));
  if (std::ranges::equal(exported.span(), again.span())) return {};
  return fail(Code::unsupported, "exported and re-imported tokens came back different");
}

// A scratch sequence shares the cells of the range, so that exactly they are written.
Result<Buffer> LlamaState::raw_export(SequenceId sequence, TokenRange range) {
  CHECK(!range.is_empty());
  llama_synchronize(context_);
  llama_memory_t memory = llama_get_memory(context_);
  llama_memory_seq_cp(memory, sequence.value, scratch_, static_cast<llama_pos>(range.begin),
                      static_cast<llama_pos>(range.end));
  // The size follows from the layout once that is known; asking costs a walk over all cells.
  const std::size_t bytes = layout_ ? model::state_bytes(*layout_, range.count())
                                    : llama_state_seq_get_size(context_, scratch_);
  auto buffer = exports_->take(bytes);
  std::size_t written = 0;
  if (buffer) {
    written = llama_state_seq_get_data(
        context_, reinterpret_cast<std::uint8_t*>(buffer->data()), bytes, scratch_);
  }
  llama_memory_seq_rm(memory, scratch_, -1, -1);
  if (buffer && written != bytes) {
    return fail(Code::internal, fmt::format("the engine wrote {} of {} bytes of KV: {}", written,
                                            bytes, last_complaint()));
  }
  return buffer;
}

Result<Buffer> LlamaState::export_range(SequenceId sequence, TokenRange range,
                                        model::Completeness completeness) {
  CHECK(layout_.has_value());
  Buffer blob = TRY(raw_export(sequence, range));
  TRY(model::order_state(*layout_, blob.span()));
  TRY(model::validate_state(*layout_, range, blob.span()));
  TRY(model::canonicalise_state(*layout_, blob.span()));
  if (layout_->recurrent && completeness == model::Completeness::partial) {
    blob.shrink(model::drop_recurrent_state(*layout_, range, blob.span()));
  }
  return blob;
}

Result<model::Completeness> LlamaState::import_range(SequenceId sequence, TokenRange range, ByteSpan blob) {
  CHECK(layout_.has_value());
  const auto completeness = TRY(model::validate_state(*layout_, range, blob));
  // libllama would take duplicates and gaps without a word and answer wrongly ever after.
  llama_memory_t memory = llama_get_memory(context_);
  const std::int64_t held =
      static_cast<std::int64_t>(llama_memory_seq_pos_max(memory, sequence.value)) + 1;
  // Without its recurrent state a hybrid sequence says that it is empty.
  const bool waits_for_state = layout_->recurrent && held == 0;
  if (held != static_cast<std::int64_t>(range.begin) && !waits_for_state) {
    return fail(Code::invalid_argument, fmt::format("positions {} to {} do not continue a sequence "
                                                    "of {} tokens", range.begin, range.end, held));
  }
  const std::size_t taken = llama_state_seq_set_data(
      context_, reinterpret_cast<const std::uint8_t*>(blob.data()), blob.size(), scratch_);
  if (taken != blob.size()) {
    llama_memory_seq_rm(memory, scratch_, -1, -1);
    return fail(Code::resource_exhausted,
                fmt::format("the engine refused {} bytes of KV for positions {} to {}: {}",
                            blob.size(), range.begin, range.end, last_complaint()));
  }
  llama_memory_seq_cp(memory, scratch_, sequence.value, static_cast<llama_pos>(range.begin),
                      static_cast<llama_pos>(range.end));
  llama_memory_seq_rm(memory, scratch_, -1, -1);
  return completeness;
}

}  // namespace hearth::engine
