#pragma once
// Continuous batching over one Engine: each step decodes one token of every running answer and
// fills the rest of the batch with slices of prompts that are still being read.
//
// A state machine without threads: whoever owns it calls submit… and step() from one thread (see
// engine/engine_thread.h). Time comes from a Clock. Every submitted job ends with exactly one
// Finished or Error, whatever happens.
//
// Cells: an admitted job holds its prompt and one step of its answer for certain. An answer that
// writes on takes cells from idle sequences, then waits for the other jobs; when they all wait, the
// youngest ends with context_full. Nobody's promised cells are ever taken.
//
// Adapters: a batch is of one set, as the engine computes with one at a time. Sets that have work take
// turns, a few steps each; nothing that one has computed is of use to another.
//
// Numerics: when one job runs alone, its prompt is computed in slices that end at multiples of the
// chunk length, then the last prompt token by itself. A worker that imports those chunks and
// computes the last token so repeats the same arithmetic, bit for bit on one backend.

#include <cstdint>
#include <deque>
#include <list>
#include <memory>

#include "hearth/base/clock.h"
#include "hearth/engine/engine.h"
#include "hearth/engine/job.h"
#include "hearth/engine/slots.h"

namespace hearth::engine {

struct SchedulerOptions {
  std::uint32_t chunk_tokens = 1024;       // prompt slices end at multiples of this
  // Of a model with a recurrent state, every so many exported chunks carry it, and the last of a job:
  // where a stored prefix can be resumed. The state of a large model is that of thousands of tokens.
  std::uint32_t resume_every_chunks = 8;
  std::uint32_t pending_jobs_max = 64;     // beyond: resource_exhausted
  Duration stream_delay_max = std::chrono::milliseconds(150);  // a prompt slice may delay answers so long
  std::uint32_t slice_tokens_min = 32;     // of a prompt, beside running answers
  // Cells are set aside for so much of an answer at a time: most are far shorter than they may be,
  // and what is promised to one is taken from idle conversations. Less in a small context: the steps
  // of all sequences together are at most half of it.
  std::uint32_t answer_step_tokens = 1024;
  // While jobs wait that want other adapters, so many steps at most are made with one set: a change
  // costs the engine a new plan of its memory.
  std::uint32_t steps_per_adapter_set = 4;
};

struct SchedulerStats {
  std::uint64_t jobs_started = 0, jobs_finished = 0, jobs_failed = 0, jobs_cancelled = 0;
  std::uint64_t prompt_tokens_computed = 0, prompt_tokens_reused = 0, answer_tokens = 0;
  std::uint64_t states_exported = 0, states_imported = 0, states_refused = 0;
  std::uint32_t jobs_running = 0, jobs_pending = 0, slots_busy = 0, slots_leased = 0;
  std::uint32_t tokens_held = 0;
};

// Who computed KV that is imported.
struct StateOrigin {
  AdapterSetId adapters;
  bool is_foreign = false;  // another quantisation of the model
};

struct LeaseInfo {
  LeaseId lease;
  std::uint32_t held_tokens = 0;  // of the prompt, already in the sequence
};

class Scheduler {
 public:
  Scheduler(Engine& engine, const Clock& clock, SchedulerOptions options);
  ~Scheduler();

  // Refusals (bad request, queue full) come back at once; the sink is then never used. `sink` must
  // outlive the job. `stop` cancels it at the next step, or within one where the engine can.
  Result<> submit(GenerateRequest request, std::shared_ptr<JobSink> sink, StopToken stop);
  Result<> submit(PrefillRequest request, std::shared_ptr<JobSink> sink, StopToken stop);
  Result<> submit(ScoreRequest request, std::shared_ptr<JobSink> sink, StopToken stop);

  // Reserves the sequence that suits `prompt` best until used, closed or `keep` has passed without
  // a call. resource_exhausted when every sequence is taken. It is for KV of `adapters` alone.
  Result<LeaseInfo> open_lease(std::span<const Token> prompt, Duration keep, AdapterSetId adapters = {});
  // Appends KV. `tokens` are those of `range`; range.begin is at most what the sequence holds, and
  // what it holds beyond that is dropped first (of an append-only one all or nothing can be).
  Result<> import_state(LeaseId lease, TokenRange range, std::span<const Token> tokens, ByteSpan blob,
                        StateOrigin origin = {});
  // The KV of `range` of `tokens`, from whichever sequence holds it; nothing when none does (an
  // append-only one only while it ends with the range).
  Result<std::optional<StateDone>> export_held(std::span<const Token> tokens, TokenRange range,
                                               AdapterSetId adapters = {});
  void close_lease(LeaseId lease);  // unknown leases are ignored

  bool has_work() const { return !running_.empty() || !pending_.empty(); }
  // One batch, or nothing when no job can go on (every reader is slow): then false.
  bool step();
  // Ends everything with `error` (shutdown).
  void fail_all(const Error& error);
  SchedulerStats stats() const;

 private:
  struct Job;
  using JobList = std::list<std::unique_ptr<Job>>;

  Result<> enqueue(std::unique_ptr<Job> job);
  Result<> check_fits(std::uint32_t total_tokens, std::string_view what) const;
  void drop_cancelled();
  void expire_leases();
  bool grow_answers();
  Result<bool> grow(const Job& job);
  void admit();
  Result<bool> start(Job& job);
  Result<> prepare_slot(const Placement& placement, AdapterSetId adapters);
  Result<> truncate(std::size_t slot, std::uint32_t length);
  Result<> compute(const std::vector<BatchItem>& batch);
  std::vector<BatchItem> next_batch();
  std::vector<BatchItem> build_batch(AdapterSetId adapters);
  void add_prompt_slices(std::vector<BatchItem>& batch, AdapterSetId adapters);
  bool can_write(const Job& job) const;
  std::uint32_t slice_budget(bool answers_running) const;
  StopToken lone_stop() const;
  void after_decode(const std::vector<BatchItem>& batch, Duration took);
  std::uint32_t slice_end(const Job& job, std::uint32_t begin, std::uint32_t budget,
                          std::uint32_t score_rows) const;
  void advance_prompt(Job& job, std::uint32_t count);
  void tell_logits(Job& job, std::uint32_t count);
  std::uint32_t export_end(const Job& job) const;
  void export_piece(Job& job);
  void advance_answer(Job& job);
  void tell_progress(Job& job);
  void prompt_done(Job& job);
  void recover(const Error& error);
  void finish(Job& job, FinishReason reason);
  void end(Job& job, JobEvent last);
  void learn_prompt_rate(std::uint32_t tokens, Duration took);

  Engine& engine_;
  const Clock& clock_;
  const SchedulerOptions options_;
  SlotTable slots_;
  JobList pending_;
  JobList running_;
  SchedulerStats stats_;
  std::uint64_t next_lease_ = 1;
  double prompt_tok_s_ = 0;  // moving average; 0 = not known yet
  AdapterSetId adapters_;    // of the last batch
  std::uint32_t steps_with_adapters_ = 0;  // one after another
};

}  // namespace hearth::engine
