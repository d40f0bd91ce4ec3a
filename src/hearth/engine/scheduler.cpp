// Jobs from submit() to their end, and the loop, step(). Its parts: scheduler_admission (into a sequence), scheduler_batch
// (what is computed next), scheduler_advance (what that means for the jobs), scheduler_growth (cells for answers that write
// on), scheduler_exports and scheduler_leases (KV that leaves and comes in).
#include "hearth/engine/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hearth/base/check.h"
#include "hearth/engine/scheduler_job.h"

namespace hearth::engine {

namespace {

SchedulerOptions fitted(SchedulerOptions options, const EngineLimits& limits) {
  const std::uint32_t step_max = std::max(1U, limits.context_tokens / (2 * limits.sequences));
  options.answer_step_tokens = std::min(options.answer_step_tokens, step_max);
  return options;
}

}  // namespace

Scheduler::Scheduler(Engine& engine, const Clock& clock, SchedulerOptions options)
    : engine_(engine),
      clock_(clock),
      options_(fitted(options, engine.limits())),
      slots_(engine.limits().sequences, engine.limits().context_tokens,
             engine.limits().is_append_only) {
  CHECK(options_.chunk_tokens > 0 && options_.answer_step_tokens > 0 &&
        options_.resume_every_chunks > 0 && options_.steps_per_adapter_set > 0);
}

Scheduler::~Scheduler() { fail_all(Error{Code::unavailable, "the worker is shutting down"}); }

Result<> Scheduler::check_fits(std::uint32_t total_tokens, std::string_view what) const {
  const std::uint32_t context = engine_.limits().context_tokens;
  if (total_tokens <= context) return {};
  return fail(Code::invalid_argument,
              fmt::format("{} has {} tokens, the context holds {}; shorten it or start the worker "
                          "with a larger context", what, total_tokens, context));
}

Result<> Scheduler::submit(GenerateRequest request, std::shared_ptr<JobSink> sink, StopToken stop) {
  if (request.prompt.empty()) return fail(Code::invalid_argument, "the prompt has no tokens");
  if (request.tokens_max == 0) {
    return fail(Code::invalid_argument, "tokens_max is 0; it is at least 1");
  }
  TRY(check_fits(static_cast<std::uint32_t>(request.prompt.size()), "the prompt"));
  auto job = std::make_unique<Job>();
  job->adapters = TRY(engine_.find_adapters(request.adapter));
  job->prompt = std::exchange(request.prompt, {});
  job->lease = std::exchange(request.lease, {});
  // The last token of an answer is told but never decoded: it needs no cell.
  job->answer_tokens_max = std::min(
      request.tokens_max, engine_.limits().context_tokens - job->prompt_tokens() + 1);
  job->total_tokens = job->prompt_tokens() + job->answer_tokens_max - 1;
  job->sampler = TRY(engine_.make_sampler(request.sampling, job->prompt));
  job->text = TextAssembler(std::move(request.stop_strings));
  job->generate = std::move(request);
  job->sink = std::move(sink);
  job->stop = std::move(stop);
  return enqueue(std::move(job));
}

Result<> Scheduler::submit(PrefillRequest request, std::shared_ptr<JobSink> sink, StopToken stop) {
  if (request.prompt.empty()) return fail(Code::invalid_argument, "the prompt has no tokens");
  TRY(check_fits(static_cast<std::uint32_t>(request.prompt.size()), "the prompt"));
  if (request.export_from && *request.export_from > request.prompt.size()) {
    return fail(Code::invalid_argument,
                fmt::format("export_from is {}, the prompt has {} tokens", *request.export_from,
                            request.prompt.size()));
  }
  auto job = std::make_unique<Job>();
  job->adapters = TRY(engine_.find_adapters(request.adapter));
  job->prompt = std::move(request.prompt);
  job->lease = request.lease;
  job->export_from = request.export_from;
  job->exported_to = request.export_from.value_or(0);
  job->total_tokens = job->prompt_tokens();
  job->sink = std::move(sink);
  job->stop = std::move(stop);
  return enqueue(std::move(job));
}

Result<> Scheduler::submit(ScoreRequest request, std::shared_ptr<JobSink> sink, StopToken stop) {
  if (engine_.limits().score_rows == 0) {
    return fail(Code::unsupported, "this worker keeps no room for scores; start it with --scores");
  }
  if (request.from == 0 || request.from >= request.tokens.size()) {
    return fail(Code::invalid_argument,
                fmt::format("from is {} of {} tokens; expected 1 to one less than there are: nothing foretells the first",
                            request.from, request.tokens.size()));
  }
  request.tokens.pop_back();  // foretold, never read
  TRY(check_fits(static_cast<std::uint32_t>(request.tokens.size()), "the text"));
  auto job = std::make_unique<Job>();
  job->prompt = std::move(request.tokens);
  job->score_from = request.from - 1;
  job->total_tokens = job->prompt_tokens();
  job->sink = std::move(sink);
  job->stop = std::move(stop);
  return enqueue(std::move(job));
}

Result<> Scheduler::enqueue(std::unique_ptr<Job> job) {
  if (pending_.size() >= options_.pending_jobs_max) {
    return fail(Code::resource_exhausted,
                fmt::format("{} requests are waiting already; try again later", pending_.size()));
  }
  job->submitted = clock_.now();
  // The lease is the job's from here on, however long it waits; the job's end closes it.
  if (const auto slot = job->lease ? slots_.find_lease(*job->lease) : std::nullopt) {
    slots_[*slot].lease_until = Instant::max();
  }
  pending_.push_back(std::move(job));
  return {};
}

bool Scheduler::step() {
  drop_cancelled();
  expire_leases();
  const bool ended_one = grow_answers();  // before newcomers
  admit();
  bool exported = false;
  for (const auto& job : running_) {
    if (job->export_from && job->sink->has_room()) {
      const std::uint32_t before = job->exported_to;
      export_piece(*job);
      exported = exported || job->exported_to != before || job->ended;
    }
  }
  const std::vector<BatchItem> batch = next_batch();
  if (!batch.empty()) {
    const Instant begin = clock_.now();
    if (auto computed = compute(batch); computed) {
      after_decode(batch, clock_.now() - begin);
    } else {
      recover(computed.error());
    }
  }
  std::erase_if(running_, [](const auto& job) { return job->ended; });
  return ended_one || exported || !batch.empty();
}

Result<> Scheduler::compute(const std::vector<BatchItem>& batch) {
  TRY(engine_.use_adapters(adapters_));
  return engine_.decode(batch, lone_stop());
}

void Scheduler::drop_cancelled() {
  for (JobList* list : {&pending_, &running_}) {
    for (const auto& job : *list) {
      if (!job->stop.stop_requested()) continue;
      ++stats_.jobs_cancelled;
      end(*job, Error{Code::cancelled, "the caller went away"});
    }
    std::erase_if(*list, [](const auto& job) { return job->ended; });
  }
}

void Scheduler::finish(Job& job, FinishReason reason) {
  Finished finished{.reason = reason, .text = job.text.finish(),
                    .stop_string = job.text.stop_string(), .answer_tokens = job.answer_tokens,
                    .decode = job.last_token - job.first_token};
  if (reason != FinishReason::stop_string) finished.stop_string.clear();
  ++stats_.jobs_finished;
  end(job, std::move(finished));
}

void Scheduler::end(Job& job, JobEvent last) {
  if (job.ended) return;
  job.ended = true;
  if (std::holds_alternative<Error>(last) && std::get<Error>(last).code != Code::cancelled) {
    ++stats_.jobs_failed;
  }
  if (job.slot) {
    Slot& slot = slots_[*job.slot];
    slot.busy = false;
    slot.reserved_tokens = 0;
    slots_.touch(*job.slot);
  } else if (job.lease) {
    close_lease(*job.lease);
  }
  job.sink->push(std::move(last));
}

void Scheduler::fail_all(const Error& error) {
  for (JobList* list : {&pending_, &running_}) {
    for (const auto& job : *list) end(*job, error);
    list->clear();
  }
}

SchedulerStats Scheduler::stats() const {
  SchedulerStats out = stats_;
  out.jobs_running = static_cast<std::uint32_t>(running_.size());
  out.jobs_pending = static_cast<std::uint32_t>(pending_.size());
  for (const Slot& slot : slots_.slots()) {
    out.slots_busy += slot.busy ? 1U : 0U;
    out.slots_leased += slot.lease ? 1U : 0U;
    out.tokens_held += slot.length();
  }
  return out;
}

}  // namespace hearth::engine
