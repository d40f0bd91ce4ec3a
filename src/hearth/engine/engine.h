#pragma once
// One loaded model on one machine, as the batching loop sees it: batches in, logits out, KV state
// by position range.
//
// Not thread-safe: one thread owns an Engine and makes every call, except those marked "any
// thread". An Engine knows sequences and positions; it does not know requests, chunks or files.
// Implementations: LlamaEngine (engine/llama_engine.h, in the worker executable only) and the
// scripted double in tests/support.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/bytes.h"
#include "hearth/base/result.h"
#include "hearth/base/stop.h"
#include "hearth/engine/sampling.h"
#include "hearth/model/state_layout.h"
#include "hearth/model/token.h"
#include "hearth/model/token_range.h"

namespace hearth::engine {

struct SequenceId {
  std::int32_t value = 0;
  auto operator<=>(const SequenceId&) const = default;
};

// A set of adapters that the engine was loaded with, counted from 1; 0: none, the bare model.
struct AdapterSetId {
  std::uint32_t value = 0;
  auto operator<=>(const AdapterSetId&) const = default;
};

struct EngineLimits {
  std::uint32_t context_tokens = 0;  // cells shared by all sequences
  std::uint32_t batch_tokens = 0;    // most items of one decode
  std::uint32_t ubatch_tokens = 0;   // what is computed at once; divides batch_tokens
  std::uint32_t sequences = 0;       // usable ids are 0 .. sequences-1
  std::uint32_t vocabulary = 0;
  std::uint32_t score_rows = 0;      // most items of one decode that want logits beside an answer's; 0: none
  // Windows and recurrent states hold what came last: a sequence is continued, shared and exported
  // at its end only, and cut back to nothing or not at all.
  bool is_append_only = false;
  bool has_recurrent_state = false;  // what export_state may leave out
  std::uint32_t adapter_sets = 0;    // beside the bare model
};

struct BatchItem {
  Token token = 0;
  std::uint32_t position = 0;
  SequenceId sequence;
  bool wants_logits = false;
};

// Chooses tokens for one answer. Lives no longer than its Engine; used by the engine's thread.
class Sampler {
 public:
  virtual ~Sampler() = default;
  // `logits` has one value per vocabulary entry. The chosen token counts as accepted.
  virtual Result<Token> sample(std::span<const float> logits) = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;

  virtual const EngineLimits& limits() const = 0;  // any thread

  // Appends items to their sequences: positions must follow what each sequence holds. At most
  // limits().batch_tokens items. A fired `stop` may end the call early with `cancelled`. After any
  // error the sequences in the batch hold an undefined part of it: truncate them.
  virtual Result<> decode(std::span<const BatchItem> items, const StopToken& stop) = 0;
  // What every decode from now on computes with. A sequence's KV belongs to the set it was computed
  // with, and is of no use to another: the caller keeps them apart.
  virtual Result<> use_adapters(AdapterSetId set) = 0;
  // Any thread. "": the bare model. invalid_argument lists the names there are.
  virtual Result<AdapterSetId> find_adapters(std::string_view name) const = 0;
  // Of item `index` of the last decode, which asked for them. Valid until the next decode.
  virtual std::span<const float> logits(std::size_t index) = 0;

  // Keeps positions below `length`. CHECKs nothing about content: the caller keeps the ledger, and
  // the rule of is_append_only.
  virtual Result<> truncate(SequenceId sequence, std::uint32_t length) = 0;
  // `to` (empty before) shares the cells of `from` in [0, length): no copy, no extra memory.
  virtual Result<> share_prefix(SequenceId from, SequenceId to, std::uint32_t length) = 0;

  // The KV of `range` as a canonical state blob (model/state_layout.h). Costs one buffer of
  // exactly its size. unsupported, with the reason, where the engine's state is not one we parse.
  // `partial` leaves a recurrent state out, where there is one.
  virtual Result<Buffer> export_state(SequenceId sequence, TokenRange range,
                                      model::Completeness completeness) = 0;
  // Appends a blob to a sequence that holds exactly [0, range.begin). The blob is validated first;
  // on any failure the sequence is as before. After a partial one nothing may be computed until a
  // whole one has followed.
  virtual Result<model::Completeness> import_state(SequenceId sequence, TokenRange range,
                                                   ByteSpan blob) = 0;

  virtual Result<std::unique_ptr<Sampler>> make_sampler(
      const SamplingOptions& options, std::span<const Token> prompt) = 0;

  // Any thread. `parse_special` turns markup like <|im_end|> into control tokens: never for text
  // that a user or a tool wrote. Text that is not UTF-8 is invalid_argument.
  virtual Result<std::vector<Token>> tokenize(std::string_view text,
                                                     bool parse_special) const = 0;
  // Any thread. May be half a UTF-8 character. Control tokens give their markup only if `special`.
  virtual std::string token_text(Token token, bool special) const = 0;
  virtual bool is_end_of_generation(Token token) const = 0;  // any thread
};

}  // namespace hearth::engine
