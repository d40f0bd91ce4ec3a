#include "hearth/node/local_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/node/worker_prefiller.h"

namespace hearth::node {
namespace {

constexpr Duration call_deadline = std::chrono::seconds(120);
// Prefill of a long prompt on a slow machine is one silent stretch; death shows at once.
constexpr Duration event_deadline = std::chrono::hours(2);
constexpr int attempts_max = 3;

Deadline soon() { return Deadline::after(call_deadline); }

bool worker_died(const Error& error) { return error.code == Code::unavailable; }

}  // namespace

LocalRun::LocalRun(LocalRunOptions options, Callbacks callbacks, TemporaryDirectory directory)
    : options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      directory_(std::move(directory)),
      files_(real_file_system()),
      http_(net::make_curl_client()) {}

LocalRun::~LocalRun() = default;

Result<std::unique_ptr<LocalRun>> LocalRun::start(LocalRunOptions options, Callbacks callbacks,
                                                  const StopToken& stop) {
  TemporaryDirectory directory = TRY(TemporaryDirectory::create("hearth"));
  std::unique_ptr<LocalRun> run(
      new LocalRun(std::move(options), std::move(callbacks), std::move(directory)));
  if (!run->options_.store_directory.empty()) {
    TRY(run->files_->create_directories(run->options_.store_directory));
    run->store_ = TRY(kv::ChunkStore::open(
        {.directory = run->options_.store_directory,
         .memory_bytes_max = run->options_.store_memory_bytes_max,
         .disk_bytes_max = run->options_.store_disk_bytes_max},
        *run->files_, run->clock_));
  }
  TRY(run->start_decode(stop));
  if (run->options_.prefill_worker) TRY(run->start_prefill(stop));
  return run;
}

Result<std::unique_ptr<WorkerProcess>> LocalRun::start_worker(std::string_view name, const std::string& device,
                                                              const StopToken& stop) {
  WorkerOptions worker = options_.worker;
  worker.device = device;
  worker.name = name;
  worker.socket_path = directory_.path() / fmt::format("{}-{}.sock", name, workers_started_++);
  const auto progress = [&](double fraction) {
    if (callbacks_.progress) callbacks_.progress(fmt::format("loading ({})", name), fraction);
  };
  return WorkerProcess::start(options_.worker_executable, worker, progress,
                              Deadline::after(options_.start_deadline), stop);
}

Result<> LocalRun::start_decode(const StopToken& stop) {
  decode_.reset();
  decode_ = TRY(start_worker("decode", options_.worker.device, stop));
  decode_client_ = std::make_unique<WorkerClient>(
      *http_, net::Address::unix_socket(decode_->options().socket_path));
  decode_info_ = TRY(decode_client_->info(soon(), stop));
  return {};
}

Result<> LocalRun::start_prefill(const StopToken& stop) {
  prefill_client_.reset();
  prefill_.reset();
  const std::string& device = options_.prefill_device.empty() ? options_.worker.device : options_.prefill_device;
  prefill_ = TRY(start_worker("prefill", device, stop));
  auto client = std::make_unique<WorkerClient>(
      *http_, net::Address::unix_socket(prefill_->options().socket_path));
  const WorkerInfo info = TRY(client->info(soon(), stop));
  if (info.identity && decode_info_.identity) {
    if (const auto difference = model::describe_difference(*info.identity, *decode_info_.identity)) {
      return fail(Code::invalid_argument, "the two workers' KV layouts differ: " + *difference);
    }
  }
  prefill_client_ = std::move(client);
  return {};
}

Result<std::vector<Token>> LocalRun::tokenize(std::string_view text, bool special,
                                              const StopToken& stop) {
  auto tokens = TRY(decode_client_->tokenize(text, special, soon(), stop));
  const bool has_bos = !tokens.empty() && tokens.front() == decode_info_.bos_token;
  if (decode_info_.adds_bos && decode_info_.bos_token >= 0 && !has_bos) {
    tokens.insert(tokens.begin(), decode_info_.bos_token);
  }
  return tokens;
}

Result<> LocalRun::ensure_workers(Answer& answer, const StopToken& stop) {
  if (!decode_ || !decode_->is_running()) {
    if (decode_) answer.notes.push_back("the decoding worker was started again: it was " + decode_->how_it_ended());
    ++answer.worker_restarts;
    TRY(start_decode(stop));
  }
  if (!options_.prefill_worker || (prefill_ && prefill_client_ && prefill_->is_running())) return {};
  ++answer.worker_restarts;
  // Without a prefill worker the answer takes longer; it does not fail.
  if (const auto started = start_prefill(stop); !started) {
    if (started.error().code == Code::cancelled) return started;
    answer.notes.push_back("there is no prefill worker: " + started.error().message);
  }
  return {};
}

Result<Answer> LocalRun::answer(std::span<const Token> prompt, const AnswerOptions& options,
                                const StopToken& stop) {
  if (prompt.empty()) return fail(Code::invalid_argument, "the prompt has no tokens");
  const std::uint32_t context = decode_info_.limits.context_tokens;
  if (prompt.size() > context) {
    return fail(Code::invalid_argument,
                fmt::format("the prompt has {} tokens, the context holds {}; shorten the prompt or "
                            "give --context {} or more", prompt.size(), context, prompt.size() + 1));
  }
  const Instant began = clock_.now();
  Answer answer;
  answer.prompt_tokens = static_cast<std::uint32_t>(prompt.size());
  for (int attempt = 1;; ++attempt) {
    TRY(ensure_workers(answer, stop));
    const auto tried = try_answer(prompt, options, answer, began, stop);
    if (tried) return answer;
    if (!worker_died(tried.error()) || attempt == attempts_max) return std::unexpected(tried.error());
    // The socket breaks a moment before the process is gone.
    if (decode_->is_running()) decode_->stop();
  }
}

Result<> LocalRun::try_answer(std::span<const Token> prompt, const AnswerOptions& options,
                              Answer& answer, Instant began, const StopToken& stop) {
  std::optional<WorkerPrefiller> prefiller;
  if (prefill_client_) prefiller.emplace(*prefill_client_, decode_info_, store_.get());
  const HandOffParts parts{*decode_client_, decode_info_, options.adapter, prefiller ? &*prefiller : nullptr,
                           store_.get()};
  const HandOffProgress progress = [&](std::uint32_t done, std::uint32_t total) {
    if (callbacks_.progress && total > 0) callbacks_.progress("prefill", double(done) / total);
  };
  const bool transfers = store_ != nullptr || prefill_client_ != nullptr;
  HandOffResult handed;
  if (transfers) handed = TRY(hand_off(parts, prompt, progress, stop));
  HandOffReport& report = handed.report;
  answer.memory_tokens = report.held_tokens + report.memory_tokens;
  answer.disk_tokens = report.disk_tokens;
  answer.chunks = report.chunks;
  answer.transfer_bytes = report.transfer_bytes;
  answer.hidden_fraction = report.hidden_fraction();
  answer.tail_ms = milliseconds(report.tail);
  answer.import_ms = report.facts().import_ms;
  answer.refused_chunks += report.refused_chunks;
  std::ranges::move(report.notes, std::back_inserter(answer.notes));

  engine::GenerateRequest request{.prompt = std::vector<Token>(prompt.begin(), prompt.end()),
                                  .tokens_max = options.tokens_max,
                                  .sampling = options.sampling,
                                  .stop_strings = options.stop_strings,
                                  .lease = handed.lease,
                                  .adapter = options.adapter,
                                  .first_logits = options.first_logits,
                                  .ignore_eos = options.ignore_eos};
  auto generation = TRY(decode_client_->generate(request, Deadline::after(event_deadline), stop));
  // Told in an earlier attempt: compared this time.
  const auto already_told = static_cast<std::uint32_t>(answer.tokens.size());
  const auto finished = read_generation(*generation, already_told, answer, began);
  if (report.computed_tokens > 0) {
    answer.prefill_tok_s = report.computed_tokens / std::max(seconds(report.prefill), 1e-9);
  }
  return finished;
}

Result<> LocalRun::read_generation(Generation& generation, std::uint32_t already_told,
                                   Answer& answer, Instant began) {
  std::uint32_t index = 0;
  Instant first{}, last{};
  while (true) {
    engine::JobEvent event = TRY(generation.next(Deadline::after(event_deadline)));
    if (const auto* progress = std::get_if<engine::PromptProgress>(&event)) {
      if (callbacks_.progress && progress->tokens_total > 0) {
        callbacks_.progress("prefill", double(progress->tokens_done) / progress->tokens_total);
      }
    } else if (const auto* prompt = std::get_if<engine::PromptDone>(&event)) {
      // Without a hand-off nobody else has looked what the worker holds.
      if (store_ == nullptr && prefill_client_ == nullptr) answer.memory_tokens = prompt->reused_tokens;
      // Not held, not from the store: computed, here or by the prefill worker. The last token too.
      answer.computed_tokens = answer.prompt_tokens - answer.memory_tokens - answer.disk_tokens;
      if (prompt->computed_tokens > 0 && seconds(prompt->prefill) > 0) {
        answer.prefill_tok_s = prompt->computed_tokens / seconds(prompt->prefill);
      }
    } else if (auto* token = std::get_if<engine::TokenDone>(&event)) {
      last = clock_.now();
      if (index == 0) first = last;
      if (answer.tokens.empty()) answer.ttft_ms = milliseconds(last - began);
      if (index < already_told) {
        if (answer.tokens[index] != token->token) {
          return fail(Code::internal, "the answer computed again after a worker died is different");
        }
      } else {
        answer.tokens.push_back(token->token);
        answer.text += token->text;
        if (callbacks_.text) callbacks_.text(token->text);
      }
      if (index == 0) answer.first_logits = std::move(token->first_logits);
      ++index;
    } else if (const auto* finished = std::get_if<engine::Finished>(&event)) {
      answer.text += finished->text;
      if (callbacks_.text) callbacks_.text(finished->text);
      answer.reason = finished->reason;
      if (index > 1) answer.decode_tok_s = (index - 1) / std::max(seconds(last - first), 1e-9);
      return {};
    } else if (auto* error = std::get_if<Error>(&event)) {
      return std::unexpected(std::move(*error));
    }
  }
}

Result<> LocalRun::flush(Deadline deadline) {
  if (!store_) return {};
  return store_->flush(deadline);
}

}  // namespace hearth::node
