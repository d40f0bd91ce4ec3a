#pragma once
// Everything `hearth run` and `hearth demo` need on one machine: a decoding worker, a prefill
// worker if wanted, a chunk store, and answers that survive the death of either worker.
//
// One thread uses it.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/kv/store.h"
#include "hearth/node/hand_off.h"
#include "hearth/node/worker/worker_process.h"

namespace hearth::node {

struct LocalRunOptions {
  std::filesystem::path worker_executable;
  WorkerOptions worker;                 // socket and name are set here
  bool prefill_worker = false;          // a second process that only prefills
  std::string prefill_device;           // of that process; empty: as worker.device
  std::filesystem::path store_directory;  // empty: nothing is kept
  std::uint64_t store_memory_bytes_max = 1ull << 30;
  std::uint64_t store_disk_bytes_max = 20ull << 30;
  Duration start_deadline = std::chrono::hours(2);  // a terabyte from a slow disk
};

struct AnswerOptions {
  std::uint32_t tokens_max = 256;
  engine::SamplingOptions sampling;
  std::vector<std::string> stop_strings;
  bool first_logits = false;
  bool ignore_eos = false;  // as of engine::GenerateRequest
  std::string adapter{};  // an adapter set of the workers; empty: the bare model
};

struct Answer {
  std::string text;
  std::vector<Token> tokens;
  engine::FinishReason reason = engine::FinishReason::end_of_generation;
  std::uint32_t prompt_tokens = 0;
  std::uint32_t computed_tokens = 0, memory_tokens = 0, disk_tokens = 0;  // where the prompt's KV came from
  std::uint32_t chunks = 0;
  std::uint64_t transfer_bytes = 0;
  double hidden_fraction = 0;
  double tail_ms = 0;  // of the hand-off, after the last chunk was computed
  std::optional<double> import_ms{};  // of the tail, since the last chunk had come; absent: none came
  double ttft_ms = 0;
  double prefill_tok_s = 0;  // of what was computed; 0 when nothing was
  double decode_tok_s = 0;   // 0 for fewer than two tokens
  std::uint32_t refused_chunks = 0, worker_restarts = 0;
  std::vector<float> first_logits;
  std::vector<std::string> notes;

  Digest256 text_digest() const { return blake2b(as_byte_span(text)); }
  bool operator==(const Answer&) const = delete;  // compare what you mean: tokens, text, logits
};

class LocalRun {
 public:
  struct Callbacks {
    std::function<void(std::string_view what, double fraction)> progress;  // loading, prefill
    std::function<void(std::string_view text)> text;                       // as it comes
  };

  static Result<std::unique_ptr<LocalRun>> start(LocalRunOptions options, Callbacks callbacks,
                                                 const StopToken& stop);
  ~LocalRun();

  const WorkerInfo& info() const { return decode_info_; }
  const kv::ChunkStore* store() const { return store_.get(); }
  WorkerProcess& decode_process() { return *decode_; }
  WorkerProcess* prefill_process() { return prefill_.get(); }
  const WorkerClient& decode_client() const { return *decode_client_; }

  // Text to token ids; markup becomes control tokens only when `special`. Adds the BOS that the
  // model's tokenizer asks for.
  Result<std::vector<Token>> tokenize(std::string_view text, bool special, const StopToken& stop);
  // A worker that dies meanwhile is started again and the answer is computed again; what was
  // already told is compared, not repeated.
  Result<Answer> answer(std::span<const Token> prompt, const AnswerOptions& options,
                        const StopToken& stop);
  // Everything computed so far is on disk afterwards.
  Result<> flush(Deadline deadline);

 private:
  LocalRun(LocalRunOptions options, Callbacks callbacks, TemporaryDirectory directory);
  Result<> start_decode(const StopToken& stop);
  Result<> start_prefill(const StopToken& stop);
  Result<std::unique_ptr<WorkerProcess>> start_worker(std::string_view name, const std::string& device,
                                                      const StopToken& stop);
  Result<> ensure_workers(Answer& answer, const StopToken& stop);
  Result<> try_answer(std::span<const Token> prompt, const AnswerOptions& options, Answer& answer,
                      Instant began, const StopToken& stop);
  Result<> read_generation(Generation& generation, std::uint32_t already_told, Answer& answer,
                           Instant began);

  LocalRunOptions options_;
  Callbacks callbacks_;
  TemporaryDirectory directory_;
  std::unique_ptr<FileSystem> files_;
  SteadyClock clock_;
  std::unique_ptr<net::HttpClient> http_;
  std::unique_ptr<kv::ChunkStore> store_;
  std::unique_ptr<WorkerProcess> decode_, prefill_;
  std::unique_ptr<WorkerClient> decode_client_, prefill_client_;
  WorkerInfo decode_info_;
  std::uint32_t workers_started_ = 0;
};

}  // namespace hearth::node
