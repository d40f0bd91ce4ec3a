#pragma once
// What the batching loop is asked to do, and what it tells in return. Plain values and one
// interface; see engine/scheduler.h for who calls what.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "hearth/base/bytes.h"
#include "hearth/base/clock.h"
#include "hearth/base/result.h"
#include "hearth/engine/sampling.h"
#include "hearth/model/token.h"
#include "hearth/model/token_range.h"

namespace hearth::engine {

// A sequence lent to a caller who fills it with imported KV before generating from it.
struct LeaseId {
  std::uint64_t value = 0;
  auto operator<=>(const LeaseId&) const = default;
};

struct GenerateRequest {
  std::vector<Token> prompt;  // at least one token
  std::uint32_t tokens_max = 256;    // of the answer; at least one
  SamplingOptions sampling;
  std::vector<std::string> stop_strings;
  std::optional<LeaseId> lease;      // continue from what was imported there; ends the lease
  std::string adapter;               // the adapter set to compute with; empty: the bare model
  int logprobs = 0;                  // most likely alternatives told with each token
  bool first_logits = false;         // tell all logits of the first token
  bool ignore_eos = false;           // an end of generation is a token like any: for measurements
  // Where KV is kept: the whole chunks of this prompt are pinned for the owner of that name, and what
  // was pinned for it before no longer is. Empty: nothing is. Not for the engine.
  std::string pin_owner;
  // Whose KV it is, for whoever wants all of it forgotten one day. Empty: nobody's. Not for the engine.
  std::string kv_user;
  // Its label is above open: its KV is kept encrypted or not at all, and no other machine computes it.
  // The engine does not look at this; whoever keeps KV does.
  bool is_labelled = false;
};

// Computes the KV of `prompt`, all of it. A caller who will generate elsewhere leaves out the last
// token of its prompt: whoever decodes computes that one and so owns the logits.
struct PrefillRequest {
  std::vector<Token> prompt;
  std::optional<LeaseId> lease;
  // Export [export_from, prompt.size()) in pieces that end at multiples of the chunk length.
  // Nothing: only compute.
  std::optional<std::uint32_t> export_from;
  std::string adapter{};  // as of GenerateRequest
};

// How likely each token of a text was, given those before it: the logits that foretell
// tokens[from] .. tokens.back(), as LogitsDone. Nothing is sampled.
struct ScoreRequest {
  std::vector<Token> tokens;  // at least two
  std::uint32_t from = 1;     // at least 1: nothing foretells the first token
};

struct TokenLogprob {
  Token token = 0;
  double logprob = 0;
  std::string text;  // of the token alone; may be half a character
};

// The prompt's KV is complete; the answer begins.
struct PromptDone {
  std::uint32_t prompt_tokens = 0;
  std::uint32_t reused_tokens = 0;    // were in the sequence already
  std::uint32_t computed_tokens = 0;  // computed now
  Duration queued{};
  Duration prefill{};
  std::uint32_t foreign_tokens = 0;   // their KV was computed by another quantisation of the model
};

// First when the job has its sequence, then with each slice.
struct PromptProgress {
  std::uint32_t tokens_done = 0;    // those reused among them
  std::uint32_t tokens_total = 0;
  std::uint32_t reused_tokens = 0;  // known from the first one on
};

struct TokenDone {
  Token token = 0;
  std::string text;                    // may be empty: half a character, or held back
  double logprob = 0;                  // with `top`, else 0
  std::string piece;                   // with `top`: the token's own text, nothing held back
  std::vector<TokenLogprob> top;
  std::vector<float> first_logits;     // with the first token, when asked for
};

struct StateDone {
  TokenRange range;
  bool is_partial = false;  // without the recurrent state, which a later one of the job brings
  Buffer blob;
  Duration export_time{};
};

// Rows of one logit for each token of the vocabulary, in order and without gaps.
struct LogitsDone {
  std::uint32_t first = 0;   // the token that the first row foretells
  std::vector<float> rows;
};

enum class FinishReason { end_of_generation, stop_string, token_limit, context_full, prefilled };
std::string_view finish_reason_name(FinishReason reason);

struct Finished {
  FinishReason reason = FinishReason::end_of_generation;
  std::string text;          // held back until now
  std::string stop_string;   // with FinishReason::stop_string
  std::uint32_t answer_tokens = 0;
  Duration decode{};         // from the first token to the last
};

using JobEvent = std::variant<PromptProgress, PromptDone, TokenDone, StateDone, LogitsDone, Finished, Error>;

// Where a job's events go. Called on the engine thread, never blocks. Finished or Error is last.
class JobSink {
 public:
  virtual ~JobSink() = default;
  // While false the job is not stepped: a slow reader stops its own answer, nobody else's.
  virtual bool has_room() = 0;
  virtual void push(JobEvent event) = 0;
};

}  // namespace hearth::engine
