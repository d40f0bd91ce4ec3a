#pragma once
// A loaded model as something that answers requests, wherever it runs: what a gateway needs and
// what a node offers. They do not know each other; this is where they meet.
//
// Thread-safe. Errors: unavailable while the model is not there (loading, restarting): try again
// later; resource_exhausted when too much waits already; invalid_argument names what is wrong.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/result.h"
#include "hearth/base/stop.h"
#include "hearth/engine/engine.h"
#include "hearth/engine/job.h"
#include "hearth/model/hand_off_facts.h"

namespace hearth::engine {

struct ModelFacts {
  std::string model_name, architecture, engine_version, backend;
  std::string chat_template;  // may be empty
  EngineLimits limits;
  Token bos_token = -1;
  bool adds_bos = false;  // prompts begin with bos_token
  std::vector<std::string> adapters{};  // the sets that GenerateRequest::adapter may name
};

// The events of one answer. Dropping it cancels the answer. One thread at a time.
class AnswerStream {
 public:
  virtual ~AnswerStream() = default;
  // After Finished or Error there is no more. timed_out: nothing came yet, call again.
  virtual Result<JobEvent> next(Deadline deadline) = 0;
  // After PromptDone: what was brought in for it. nullptr: nothing was, the prompt was computed in place. Valid
  // while the stream is.
  virtual const model::HandOffFacts* hand_off() const { return nullptr; }
};

// What became of the KV that somebody wanted forgotten.
struct KvForgotten {
  std::uint64_t dropped = 0, bytes = 0;  // chunks
  std::uint64_t shared = 0, pinned = 0;  // those that stay, because somebody else uses or pins them
};

// A model that is there and no longer works: answers that run do not end.
struct ModelStall {
  std::string part;  // "worker": its process does not answer; "engine": its step does not end
  std::string what;  // for people
  Duration lasted{};
};

class ModelService {
 public:
  virtual ~ModelService() = default;
  virtual ModelFacts facts() const = 0;
  virtual bool is_ready() const = 0;
  // Nothing: it works, or is not ready.
  virtual std::optional<ModelStall> stall() const { return {}; }
  // Neither adds bos_token. Markup becomes control tokens only when `special`.
  virtual Result<std::vector<Token>> tokenize(std::string_view text, bool special,
                                              const StopToken& stop) = 0;
  // A prompt whose KV is kept somewhere is not computed again. request.lease is not the caller's.
  virtual Result<std::unique_ptr<AnswerStream>> generate(GenerateRequest request,
                                                         const StopToken& stop) = 0;
  // What GenerateRequest::pin_owner pinned may be evicted again. Nothing pinned is no error; unavailable
  // when some of it cannot be let go now.
  virtual Result<> unpin(std::string_view) { return {}; }
  // Removes the KV of GenerateRequest::kv_user that nobody else has used. unavailable when some of it cannot
  // be seen now.
  virtual Result<KvForgotten> forget(std::string_view) { return KvForgotten{}; }
};

}  // namespace hearth::engine
