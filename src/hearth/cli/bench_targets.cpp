#include "hearth/cli/bench_targets.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/process_memory.h"
#include "hearth/base/thread.h"
#include "hearth/bench/endpoint_target.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/routing_setup.h"
#include "hearth/cli/service_spec.h"
#include "hearth/node/local_run.h"

namespace hearth::cli {
namespace {

// Workers of this program, through what `hearth run` uses. Answers one at a time.
class WorkerTarget final : public bench::Target {
 public:
  static Result<std::unique_ptr<WorkerTarget>> start(std::string name, bool split, const std::filesystem::path& model,
                                                     const WorkerSettings& settings, Progress& progress, const StopToken& stop) {
    node::LocalRunOptions options;
    options.worker_executable = TRY(find_worker_executable());
    options.prefill_worker = split;
    node::WorkerOptions& worker = options.worker;
    worker.model_path = model;
    worker.context_tokens = settings.context_tokens;
    worker.sequences = settings.sequences;
    worker.chunk_tokens = settings.chunk_tokens;
    worker.ubatch_tokens = settings.ubatch_tokens;
    worker.threads = settings.threads;
    worker.kv_type = settings.kv_type;
    worker.device = settings.device;
    std::unique_ptr<WorkerTarget> out(new WorkerTarget());
    const Instant begin = SteadyClock().now();
    out->run_ = TRY(node::LocalRun::start(std::move(options),
                                          {.progress = [target = out.get(), &progress](std::string_view what, double share) {
                                             if (target->run_ == nullptr) progress.update(what, share);
                                             else target->on_progress(share);
                                           },
                                           .text = [target = out.get()](std::string_view) { target->on_text(); }},
                                          stop));
    const node::WorkerInfo& info = out->run_->info();
    out->info_ = {.name = std::move(name), .kind = split ? "split" : "worker", .model = info.model_name,
                  .build = info.engine_version + " " + info.engine_build + ", " + info.backend,
                  .load_s = seconds(SteadyClock().now() - begin)};
    return out;
  }

  const bench::TargetInfo& info() const override { return info_; }

  bench::Sample ask(const bench::Ask& ask, Deadline deadline, const StopToken& stop) override {
    const std::lock_guard hold(one_at_a_time_);
    StopSource over, too_late;
    const StopCallback from_outside(stop, [&] { too_late.request_stop(); });
    bench::Sample out;
    {
      const Thread watch("bench", [&] {
        if (!stopped_while_waiting(over.token(), deadline)) too_late.request_stop();
      });
      out = answer(ask, too_late.token());
      over.request_stop();
    }
    if (!out.is_good() && too_late.stop_requested() && !stop.stop_requested()) out.failure = "no end of the answer in time";
    return out;
  }

 private:
  WorkerTarget() = default;

  bench::Sample answer(const bench::Ask& ask, const StopToken& stop) {
    bench::Sample out;
    const auto tokens = run_->tokenize(ask.text, /*special=*/false, stop);
    if (!tokens) return failed(std::move(out), tokens.error());
    prompt_tokens_ = static_cast<std::uint32_t>(tokens->size());
    progress_.clear();
    text_ms_.clear();
    sent_ = SteadyClock().now();
    node::AnswerOptions options;
    options.tokens_max = ask.answer_tokens;
    options.ignore_eos = true;
    options.sampling.temperature = 0;
    const auto answer = run_->answer(*tokens, options, stop);
    if (!answer) return failed(std::move(out), answer.error());
    text_ms_.resize(std::min(text_ms_.size(), answer->tokens.size()));  // what was held back comes without a token
    out.total_ms = text_ms_.empty() ? milliseconds(SteadyClock().now() - sent_) : text_ms_.back();
    fill(out, *answer);
    return out;
  }

  static bench::Sample failed(bench::Sample out, const Error& error) {
    out.failure = error.message;
    return out;
  }

  void fill(bench::Sample& out, const node::Answer& answer) {
    out.ttft_ms = text_ms_.empty() ? answer.ttft_ms : text_ms_.front();
    for (std::size_t i = 1; i < text_ms_.size(); ++i) out.gaps_ms.push_back(text_ms_[i] - text_ms_[i - 1]);
    out.prompt_tokens = answer.prompt_tokens;
    out.cached_tokens = answer.memory_tokens + answer.disk_tokens;
    out.answer_tokens = static_cast<std::uint32_t>(answer.tokens.size());
    if (answer.prefill_tok_s > 0) out.server_prefill_tok_s = answer.prefill_tok_s;
    if (answer.decode_tok_s > 0) out.server_decode_tok_s = answer.decode_tok_s;
    if (!progress_.empty()) {
      out.progress.push_back({out.cached_tokens, 0});
      out.progress.insert(out.progress.end(), progress_.begin(), progress_.end());
    }
    if (answer.transfer_bytes > 0) {
      out.hand_off = bench::HandOff{.prefilled_by = {}, .bytes = answer.transfer_bytes, .chunks = answer.chunks, .hidden_share = answer.hidden_fraction,
                                    .tail_ms = answer.tail_ms, .import_ms = answer.import_ms};
    }
    std::uint64_t bytes = resident_bytes_of(run_->decode_process().pid());
    if (run_->prefill_process() != nullptr) bytes += resident_bytes_of(run_->prefill_process()->pid());
    if (bytes > 0) out.memory_bytes = bytes;
    if (answer.worker_restarts > 0) out.findings.push_back(fmt::format("{} restarts of a worker meanwhile", answer.worker_restarts));
    out.findings.insert(out.findings.end(), answer.notes.begin(), answer.notes.end());
  }

  void on_progress(double share) {
    const auto done = static_cast<std::uint32_t>(share * prompt_tokens_ + 0.5);
    if (!progress_.empty() && progress_.back().tokens >= done) return;
    progress_.push_back({done, milliseconds(SteadyClock().now() - sent_)});
  }
  void on_text() { text_ms_.push_back(milliseconds(SteadyClock().now() - sent_)); }

  bench::TargetInfo info_;
  std::mutex one_at_a_time_;
  std::unique_ptr<node::LocalRun> run_;
  Instant sent_{};
  std::uint32_t prompt_tokens_ = 0;
  std::vector<bench::ProgressPoint> progress_;
  std::vector<double> text_ms_;
};

// "NAME:" before a kind; empty when there is none.
std::string own_name(std::string_view text) {
  const std::string_view kind = text.substr(0, text.find('='));
  const std::size_t colon = kind.rfind(':');
  return colon == std::string_view::npos ? "" : std::string(kind.substr(0, colon));
}

struct WorkerText {
  std::string name;
  bool split = false;
  std::filesystem::path model;
};

std::optional<WorkerText> worker_text(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  std::string name = own_name(text);
  const std::string_view kind = text.substr(name.empty() ? 0 : name.size() + 1, equals - (name.empty() ? 0 : name.size() + 1));
  if (kind != "worker" && kind != "split") return std::nullopt;
  if (name.empty()) name = kind;
  return WorkerText{std::move(name), kind == "split", text.substr(equals + 1)};
}

Result<std::unique_ptr<bench::Target>> open_one(const std::string& text, const WorkerSettings& settings, BenchTargets& out,
                                                Progress& progress, const StopToken& stop) {
  if (const auto worker = worker_text(text)) {
    return TRY(WorkerTarget::start(worker->name, worker->split, worker->model, settings, progress, stop));
  }
  const upstream::EndpointSpec spec = TRY(parse_service(text));
  std::string key = TRY(read_upstream_key(spec));
  auto endpoint = TRY(upstream::make_endpoint(spec, std::move(key), *out.http));
  return bench::make_endpoint_target(std::move(endpoint), stop);
}

}  // namespace

Result<std::vector<TargetName>> target_names(const std::vector<std::string>& texts) {
  if (texts.empty()) {
    return fail(Code::invalid_argument, "nothing to measure: --target worker=FILE.gguf, split=FILE.gguf, or KIND=URL such as "
                                       "llama-server=http://127.0.0.1:8080");
  }
  std::vector<TargetName> out;
  for (const std::string& text : texts) {
    TargetName one;
    if (const auto worker = worker_text(text)) {
      one = {.name = worker->name, .kind = worker->split ? "split" : "worker", .model = worker->model};
    } else {
      const upstream::EndpointSpec spec = TRY(parse_service(text));
      one = {.name = spec.name, .kind = std::string(upstream::kind_name(spec.kind)), .model = {}};
    }
    if (std::ranges::find(out, one.name, &TargetName::name) != out.end()) {
      return fail(Code::invalid_argument, fmt::format("two targets are called {}; write NAME:{}", one.name, text));
    }
    out.push_back(std::move(one));
  }
  return out;
}

Result<BenchTargets> open_targets(const std::vector<std::string>& texts, const WorkerSettings& settings, Progress& progress,
                                  const StopToken& stop) {
  BenchTargets out{.http = net::make_curl_client(), .targets = {}};
  for (const std::string& text : texts) out.targets.push_back(TRY(open_one(text, settings, out, progress, stop)));
  progress.clear();
  return out;
}

}  // namespace hearth::cli
