#include "hearth/engine/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hearth/base/check.h"
#include "hearth/engine/text_assembler.h"

namespace hearth::engine {
namespace {

// Every so many prompt slices the oldest prompt is served instead of the shortest.
constexpr std::uint64_t oldest_first_every = 4;
constexpr double prompt_rate_smoothing = 0.3;

double log_sum_exp(std::span<const float> logits) {
  const float largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit} - largest);
  return largest + std::log(sum);
}

void add_logprobs(TokenDone& done, const Engine& engine, std::span<const float> logits, int count) {
  done.piece = engine.token_text(done.token, /*special=*/true);
  const double normalizer = log_sum_exp(logits);
  const auto logprob = [&](Token token) {
    return double{logits[static_cast<std::size_t>(token)]} - normalizer;
  };
  done.logprob = logprob(done.token);
  std::vector<Token> order(logits.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Token>(i);
  const auto shown = std::min<std::size_t>(static_cast<std::size_t>(count), order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(shown), order.end(),
                    [&](Token a, Token b) { return logprob(a) > logprob(b); });
  for (std::size_t i = 0; i < shown; ++i) {
    done.top.push_back({order[i], logprob(order[i]), engine.token_text(order[i], /*special=*/true)});
  }
}

}  // namespace

std::string_view finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::end_of_generation: return "end_of_generation";
    case FinishReason::stop_string: return "stop_string";
    case FinishReason::token_limit: return "token_limit";
    case FinishReason::context_full: return "context_full";
    case FinishReason::prefilled: return "prefilled";
  }
  return "end_of_generation";
}

struct Scheduler::Job {
  // What was asked.
  std::vector<Token> prompt;
  std::optional<LeaseId> lease;
  std::optional<std::uint32_t> export_from;
  std::optional<GenerateRequest> generate;  // without prompt and lease; absent: prefill only
  std::shared_ptr<JobSink> sink;            // shared with whoever reads the events
  StopToken stop;
  std::uint32_t total_tokens = 0;
  std::uint32_t answer_tokens_max = 0;

  // Where it is.
  std::optional<std::size_t> slot;
  bool answering = false;
  bool ended = false;
  std::uint32_t exported_to = 0;
  std::uint32_t reused_tokens = 0;
  Instant submitted{}, started{}, first_token{}, last_token{};

  // The answer.
  Token next_token = 0;
  std::uint32_t answer_tokens = 0;
  std::unique_ptr<Sampler> sampler;
  TextAssembler text{{}};

  // This step's part of the batch.
  std::uint32_t batch_count = 0;
  std::size_t logits_index = 0;

  std::uint32_t prompt_tokens() const { return static_cast<std::uint32_t>(prompt.size()); }
  // The last prompt token of an answer is its first decode step.
  std::uint32_t prompt_target() const { return generate ? prompt_tokens() - 1 : prompt_tokens(); }
};

Scheduler::Scheduler(Engine& engine, const Clock& clock, SchedulerOptions options)
    : engine_(engine),
      clock_(clock),
      options_(options),
      slots_(engine.limits().sequences, engine.limits().context_tokens) {
  CHECK(options_.chunk_tokens > 0);
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
  if (request.tokens_max == 0) return fail(Code::invalid_argument, "tokens_max is 0; it is at least 1");
  TRY(check_fits(static_cast<std::uint32_t>(request.prompt.size()), "the prompt"));
  auto job = std::make_unique<Job>();
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
  job->prompt = std::move(request.prompt);
  job->lease = request.lease;
  job->export_from = request.export_from;
  job->exported_to = request.export_from.value_or(0);
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
  pending_.push_back(std::move(job));
  return {};
}

Result<LeaseInfo> Scheduler::open_lease(std::span<const Token> prompt, Duration keep) {
  expire_leases();
  const auto placement = slots_.place(prompt, static_cast<std::uint32_t>(prompt.size()));
  if (!placement) {
    return fail(Code::resource_exhausted, "every sequence of this worker is in use");
  }
  TRY(prepare_slot(*placement));
  Slot& slot = slots_[placement->slot];
  slot.lease = LeaseId{next_lease_++};
  slot.lease_until = clock_.now() + keep;
  slot.reserved_tokens = static_cast<std::uint32_t>(prompt.size());
  return LeaseInfo{*slot.lease, slot.length()};
}

Result<> Scheduler::import_state(LeaseId lease, TokenRange range,
                                 std::span<const Token> tokens, ByteSpan blob) {
  const auto index = slots_.find_lease(lease);
  if (!index) return fail(Code::not_found, fmt::format("no lease {}: it was used, closed or expired", lease.value));
  Slot& slot = slots_[*index];
  if (tokens.size() != range.end - range.begin || range.end <= range.begin) {
    return fail(Code::invalid_argument, fmt::format("{} tokens given for positions {} to {}",
                                                    tokens.size(), range.begin, range.end));
  }
  if (range.begin > slot.length()) {
    ++stats_.states_refused;
    return fail(Code::invalid_argument,
                fmt::format("positions {} to {} leave a gap: the sequence holds {} tokens",
                            range.begin, range.end, slot.length()));
  }
  if (range.begin < slot.length()) {
    TRY(engine_.truncate(slot.sequence, range.begin));
    slot.tokens.resize(range.begin);
  }
  const auto room = slots_.make_room(*index, range.end);
  if (!room) return fail(Code::resource_exhausted, "the cells of this worker are promised to other requests");
  for (const std::size_t victim : *room) {
    TRY(engine_.truncate(slots_[victim].sequence, 0));
    slots_[victim].tokens.clear();
  }
  if (auto imported = engine_.import_state(slot.sequence, range, blob); !imported) {
    ++stats_.states_refused;
    return imported;
  }
  ++stats_.states_imported;
  slot.tokens.insert(slot.tokens.end(), tokens.begin(), tokens.end());
  slot.reserved_tokens = std::max(slot.reserved_tokens, slot.length());
  slots_.touch(*index);
  return {};
}

Result<std::optional<StateDone>> Scheduler::export_held(std::span<const Token> tokens,
                                                        TokenRange range) {
  for (const Slot& slot : slots_.slots()) {
    if (common_prefix(slot.tokens, tokens) < range.end) continue;
    const Instant started = clock_.now();
    auto blob = TRY(engine_.export_state(slot.sequence, range));
    ++stats_.states_exported;
    return StateDone{range, std::move(blob), clock_.now() - started};
  }
  return std::nullopt;
}

void Scheduler::close_lease(LeaseId lease) {
  if (const auto index = slots_.find_lease(lease); index && !slots_[*index].busy) {
    slots_[*index].lease.reset();
    slots_[*index].reserved_tokens = 0;
  }
}

void Scheduler::expire_leases() {
  const Instant now = clock_.now();
  for (Slot& slot : slots_.slots()) {
    if (slot.lease && !slot.busy && slot.lease_until <= now) {
      slot.lease.reset();
      slot.reserved_tokens = 0;
    }
  }
}

bool Scheduler::step() {
  drop_cancelled();
  expire_leases();
  admit();
  bool exported = false;
  for (const auto& job : running_) {
    if (job->export_from && job->sink->has_room()) {
      const std::uint32_t before = job->exported_to;
      export_piece(*job);
      exported = exported || job->exported_to != before || job->ended;
    }
  }
  const std::vector<BatchItem> batch = build_batch();
  if (!batch.empty()) {
    const Instant begin = clock_.now();
    if (auto decoded = engine_.decode(batch, lone_stop()); decoded) {
      after_decode(batch, clock_.now() - begin);
    } else {
      recover(decoded.error());
    }
  }
  std::erase_if(running_, [](const auto& job) { return job->ended; });
  return exported || !batch.empty();
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

void Scheduler::admit() {
  while (!pending_.empty()) {
    Job& job = *pending_.front();
    const auto started = start(job);
    if (started && !*started) return;  // no room yet: first come, first served
    if (!started) end(job, started.error());
    if (!job.ended) running_.push_back(std::move(pending_.front()));
    pending_.pop_front();
  }
}

// False: there is no sequence or no room for it now.
Result<bool> Scheduler::start(Job& job) {
  std::optional<Placement> placement;
  if (job.lease) {
    const auto index = slots_.find_lease(*job.lease);
    if (!index) {
      return fail(Code::not_found,
                  fmt::format("no lease {}: it was used, closed or expired", job.lease->value));
    }
    auto evict = slots_.make_room(*index, job.total_tokens);
    if (!evict) return false;
    placement = Placement{*index, common_prefix(slots_[*index].tokens, job.prompt), {},
                          std::move(*evict)};
  } else {
    placement = slots_.place(job.prompt, job.total_tokens);
    if (!placement) return false;
  }
  placement->keep_tokens = std::min(placement->keep_tokens, job.prompt_target());
  TRY(prepare_slot(*placement));
  Slot& slot = slots_[placement->slot];
  slot.busy = true;
  slot.lease.reset();
  slot.reserved_tokens = job.total_tokens;
  job.slot = placement->slot;
  job.started = clock_.now();
  job.reused_tokens = slot.length();
  stats_.prompt_tokens_reused += slot.length();
  ++stats_.jobs_started;
  if (slot.length() == job.prompt_target()) prompt_done(job);
  return true;
}

Result<> Scheduler::prepare_slot(const Placement& placement) {
  for (const std::size_t victim : placement.evict) {
    TRY(engine_.truncate(slots_[victim].sequence, 0));
    slots_[victim].tokens.clear();
  }
  Slot& slot = slots_[placement.slot];
  const std::uint32_t keep = placement.share_from ? 0 : placement.keep_tokens;
  TRY(engine_.truncate(slot.sequence, keep));
  slot.tokens.resize(keep);
  if (placement.share_from) {
    const Slot& source = slots_[*placement.share_from];
    TRY(engine_.share_prefix(source.sequence, slot.sequence, placement.keep_tokens));
    slot.tokens.assign(source.tokens.begin(), source.tokens.begin() + placement.keep_tokens);
  }
  slots_.touch(placement.slot);
  return {};
}

std::vector<BatchItem> Scheduler::build_batch() {
  std::vector<BatchItem> batch;
  for (const auto& job : running_) {
    job->batch_count = 0;
    if (!job->answering || job->ended || !job->sink->has_room()) continue;
    const Slot& slot = slots_[*job->slot];
    job->batch_count = 1;
    job->logits_index = batch.size();
    batch.push_back({job->next_token, slot.length(), slot.sequence, /*wants_logits=*/true});
  }
  add_prompt_slices(batch, /*answers_running=*/!batch.empty());
  return batch;
}

void Scheduler::add_prompt_slices(std::vector<BatchItem>& batch, bool answers_running) {
  std::vector<Job*> reading;
  for (const auto& job : running_) {
    if (!job->answering && !job->ended && slots_[*job->slot].length() < job->prompt_target()) {
      reading.push_back(job.get());
    }
  }
  const bool oldest_first = stats_.prompt_tokens_computed / options_.chunk_tokens %
                                oldest_first_every == oldest_first_every - 1;
  if (!oldest_first) {
    std::ranges::stable_sort(reading, {}, [&](const Job* job) {
      return job->prompt_target() - slots_[*job->slot].length();
    });
  }
  std::uint32_t budget = slice_budget(answers_running);
  for (Job* job : reading) {
    const Slot& slot = slots_[*job->slot];
    const std::uint32_t begin = slot.length();
    const std::uint32_t chunk_end = (begin / options_.chunk_tokens + 1) * options_.chunk_tokens;
    const std::uint32_t end = std::min({chunk_end, job->prompt_target(), begin + budget});
    for (std::uint32_t position = begin; position < end; ++position) {
      batch.push_back({job->prompt[position], position, slot.sequence, /*wants_logits=*/false});
    }
    job->batch_count = end - begin;
    budget -= job->batch_count;
    if (budget == 0) return;
  }
}

std::uint32_t Scheduler::slice_budget(bool answers_running) const {
  const std::uint32_t most = engine_.limits().batch_tokens;
  if (!answers_running) return most;
  const double rate_based = prompt_tok_s_ * seconds(options_.stream_delay_max);
  const auto wanted = std::max(static_cast<std::uint32_t>(rate_based), options_.slice_tokens_min);
  const std::uint32_t rounded = wanted / options_.slice_tokens_min * options_.slice_tokens_min;
  return std::min(rounded, most - engine_.limits().sequences);
}

StopToken Scheduler::lone_stop() const {
  const Job* lone = nullptr;
  for (const auto& job : running_) {
    if (job->batch_count == 0) continue;
    if (lone != nullptr) return {};
    lone = job.get();
  }
  return lone != nullptr ? lone->stop : StopToken();
}

void Scheduler::after_decode(const std::vector<BatchItem>& batch, Duration took) {
  std::uint32_t prompt_tokens = 0;
  for (const auto& job : running_) {
    if (job->batch_count == 0) continue;
    if (job->answering) {
      advance_answer(*job);
    } else {
      prompt_tokens += job->batch_count;
      advance_prompt(*job, job->batch_count);
    }
  }
  if (prompt_tokens >= options_.slice_tokens_min && 2 * prompt_tokens >= batch.size()) {
    learn_prompt_rate(prompt_tokens, took);
  }
}

void Scheduler::learn_prompt_rate(std::uint32_t tokens, Duration took) {
  const double rate = tokens / std::max(seconds(took), 1e-9);
  prompt_tok_s_ = prompt_tok_s_ == 0
                      ? rate
                      : prompt_tok_s_ + prompt_rate_smoothing * (rate - prompt_tok_s_);
}

void Scheduler::advance_prompt(Job& job, std::uint32_t count) {
  Slot& slot = slots_[*job.slot];
  const auto begin = job.prompt.begin() + slot.length();
  slot.tokens.insert(slot.tokens.end(), begin, begin + count);
  stats_.prompt_tokens_computed += count;
  job.sink->push(PromptProgress{slot.length(), job.prompt_target()});
  if (slot.length() == job.prompt_target()) prompt_done(job);
}

void Scheduler::prompt_done(Job& job) {
  job.sink->push(PromptDone{job.prompt_tokens(), job.reused_tokens,
                            job.prompt_target() - job.reused_tokens, job.started - job.submitted,
                            clock_.now() - job.started});
  if (job.generate) {
    job.answering = true;
    job.next_token = job.prompt.back();
  } else if (!job.export_from || job.exported_to == job.prompt_tokens()) {
    finish(job, FinishReason::prefilled);
  }
}

void Scheduler::export_piece(Job& job) {
  const Slot& slot = slots_[*job.slot];
  const std::uint32_t begin = job.exported_to;
  const std::uint32_t chunk_end = (begin / options_.chunk_tokens + 1) * options_.chunk_tokens;
  const std::uint32_t end = std::min(chunk_end, job.prompt_tokens());
  if (begin == end || end > slot.length()) return;
  const Instant started = clock_.now();
  const TokenRange range{begin, end};
  auto blob = engine_.export_state(slot.sequence, range);
  if (!blob) {
    this->end(job, blob.error());
    return;
  }
  job.exported_to = end;
  ++stats_.states_exported;
  job.sink->push(StateDone{range, std::move(*blob), clock_.now() - started});
  if (job.exported_to == job.prompt_tokens()) finish(job, FinishReason::prefilled);
}

void Scheduler::advance_answer(Job& job) {
  Slot& slot = slots_[*job.slot];
  slot.tokens.push_back(job.next_token);
  const std::span<const float> logits = engine_.logits(job.logits_index);
  const auto sampled = job.sampler->sample(logits);
  if (!sampled) {
    end(job, sampled.error());
    return;
  }
  const Instant now = clock_.now();
  if (job.answer_tokens == 0) job.first_token = now;
  job.last_token = now;
  if (engine_.is_end_of_generation(*sampled)) {
    finish(job, FinishReason::end_of_generation);
    return;
  }
  TokenDone done;
  done.token = *sampled;
  done.text = job.text.add(engine_.token_text(*sampled, /*special=*/true));
  if (job.generate->logprobs > 0) add_logprobs(done, engine_, logits, job.generate->logprobs);
  if (job.answer_tokens == 0 && job.generate->first_logits) {
    done.first_logits.assign(logits.begin(), logits.end());
  }
  ++job.answer_tokens;
  ++stats_.answer_tokens;
  job.next_token = *sampled;
  job.sink->push(std::move(done));
  if (job.text.stopped()) {
    finish(job, FinishReason::stop_string);
  } else if (job.answer_tokens == job.answer_tokens_max) {
    finish(job, job.answer_tokens == job.generate->tokens_max ? FinishReason::token_limit
                                                              : FinishReason::context_full);
  }
}

void Scheduler::recover(const Error& error) {
  std::vector<Job*> in_batch;
  for (const auto& job : running_) {
    if (job->batch_count > 0) in_batch.push_back(job.get());
  }
  bool evicted = false;
  if (error.code == Code::resource_exhausted) {
    for (Slot& slot : slots_.slots()) {
      if (!slot.idle() || slot.tokens.empty()) continue;
      evicted = engine_.truncate(slot.sequence, 0).has_value() || evicted;
      slot.tokens.clear();
    }
  }
  const bool retry = error.code == Code::cancelled || evicted;
  if (!retry && error.code == Code::resource_exhausted) in_batch = {in_batch.back()};
  for (Job* job : in_batch) {
    Slot& slot = slots_[*job->slot];
    const bool repaired = engine_.truncate(slot.sequence, slot.length()).has_value();
    if (!retry || !repaired) end(*job, error);
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
