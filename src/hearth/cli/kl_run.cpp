#include "hearth/cli/kl_run.h"

#include <fmt/format.h>

#include "hearth/base/file.h"
#include "hearth/chat/format.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/progress.h"
#include "hearth/eval/kl/compare.h"
#include "hearth/eval/kl/text_files.h"
#include "hearth/eval/kl/transcript.h"
#include "hearth/model/layout_identity.h"
#include "hearth/node/local_run.h"

namespace hearth::cli {
namespace {

constexpr int worker_attempts_max = 3;
// A block on a slow machine, and the silence while a worker reads what comes before it.
constexpr Duration score_deadline = std::chrono::hours(2);
constexpr Duration tokenize_deadline = std::chrono::minutes(10);

// A model that works for us while this lives.
class ScoringWorker {
 public:
  static Result<std::unique_ptr<ScoringWorker>> start(const std::filesystem::path& model,
                                                      const node::WorkerOptions& worker,
                                                      Progress& progress, const StopToken& stop) {
    node::LocalRunOptions options;
    options.worker_executable = TRY(find_worker_executable());
    options.worker = worker;
    options.worker.model_path = model;
    node::LocalRun::Callbacks callbacks;
    callbacks.progress = [&progress, name = model.filename().string()](std::string_view what,
                                                                       double fraction) {
      progress.update(fmt::format("{}: {}", name, what), fraction);
    };
    auto out = std::make_unique<ScoringWorker>();
    out->run_ = TRY(node::LocalRun::start(std::move(options), std::move(callbacks), stop));
    out->stop_ = stop;
    return out;
  }

  const node::WorkerInfo& info() const { return run_->info(); }

  eval::LogitsSource source() const {
    return [this](std::span<const Token> tokens, std::uint32_t from,
                  const eval::LogitsRow& row) -> Result<> {
      const engine::ScoreRequest request{.tokens = {tokens.begin(), tokens.end()}, .from = from};
      const auto rows = TRY(run_->decode_client().score(request, info().limits.vocabulary,
                                                        Deadline::after(score_deadline), stop_));
      while (true) {
        const auto logits = TRY(rows->next(Deadline::after(score_deadline)));
        if (logits.empty()) return {};
        TRY(row(logits));
      }
    };
  }

  eval::TextTokenizer tokenizer() const {
    return {.tokenize =
                [this](std::string_view text, bool special) {
                  return run_->decode_client().tokenize(text, special,
                                                        Deadline::after(tokenize_deadline), stop_);
                },
            .bos = info().adds_bos ? info().bos_token : -1};
  }

 private:
  std::unique_ptr<node::LocalRun> run_;
  StopToken stop_;
};

class KlRun {
 public:
  KlRun(const KlSettings& settings, StopToken stop) : settings_(settings), stop_(std::move(stop)) {}

  Result<eval::KlReport> run() {
    TRY(eval::check_windows(settings_.windows));
    std::vector<std::filesystem::path> paths(settings_.texts.begin(), settings_.texts.end());
    files_ = TRY(eval::read_text_files(paths));
    const eval::ModelMark base = TRY(mark_of(settings_.base));
    eval::ModelMark candidate = TRY(mark_of(settings_.candidate));
    if (base.tokenizer != candidate.tokenizer) {
      return fail(Code::invalid_argument, fmt::format("{} and {} have different tokenizers: only "
                                                      "models with the same tokens can be compared",
                                                      base.name, candidate.name));
    }
    TRY(choose_folder(base));
    eval::RecordFile reference = TRY(recorded(base));
    auto rows = TRY(compared(reference, settings_.candidate, candidate,
                             candidate.weights.substr(0, 12), worker_options()));
    std::optional<eval::TextDivergences> floor;
    if (settings_.floor) {
      node::WorkerOptions other = worker_options();
      other.ubatch_tokens = std::max(1u, other.ubatch_tokens / 2);
      eval::ModelMark again = base;
      floor = TRY(compared(reference, settings_.base, again, "floor", other));
    }
    progress_.clear();
    const eval::RecordHeader& header = reference.header();
    eval::KlReport report = TRY(eval::report_kl(header.content, header.plan(), rows,
                                                floor ? &*floor : nullptr, settings_.thresholds));
    report.base = header.model;
    report.candidate = candidate;
    return report;
  }

 private:
  static Result<eval::ModelMark> mark_of(const std::filesystem::path& path) {
    const auto files = TRY(model::load_model_files(path));
    return eval::ModelMark{path.filename().string(), TRY(model::weights_fingerprint(files)).hex(),
                           model::tokenizer_digest(files.metadata()).hex(), ""};
  }

  Result<> choose_folder(const eval::ModelMark& base) {
    folder_ = settings_.record;
    if (folder_.empty()) {
      Blake2b hash;
      hash.update_sized(base.weights)
          .update_sized(texts_digest())
          .update_number(settings_.windows.window_tokens);
      hash.update_number(settings_.windows.skip_tokens);
      folder_ = TRY(cache_directory()) / "kl" / hash.finish().short_hex();
    }
    return real_file_system()->create_directories(folder_);
  }

  std::string texts_digest() const {
    Blake2b hash;
    return hash.update_sized(eval::digest_of(files_).hex())
        .update_sized(settings_.chat_format)
        .finish()
        .hex();
  }

  node::WorkerOptions worker_options() const {
    node::WorkerOptions out = settings_.worker;
    out.sequences = 1;
    out.scores = true;
    out.chunk_tokens = std::max(out.ubatch_tokens, eval::block_positions);
    out.context_tokens = settings_.windows.window_tokens + eval::block_positions;
    return out;
  }

  // A worker that dies is started again; what is on disk is not computed again.
  Result<> with_worker(const std::filesystem::path& model, const node::WorkerOptions& options,
                       const std::function<Result<>(const ScoringWorker&)>& use) {
    for (int attempt = 1;; ++attempt) {
      const auto worker = TRY(ScoringWorker::start(model, options, progress_, stop_));
      const auto done = use(*worker);
      if (done || done.error().code != Code::unavailable || attempt == worker_attempts_max) {
        return done;
      }
    }
  }

  eval::KlProgress progress(std::string what) {
    return [this, what = std::move(what)](std::uint64_t done, std::uint64_t all) {
      progress_.update(what, all == 0 ? 1 : static_cast<double>(done) / static_cast<double>(all));
    };
  }

  Result<eval::RecordFile> recorded(const eval::ModelMark& base) {
    const auto path = folder_ / "reference.hkl";
    eval::RecordHeader wanted{.kind = eval::RecordKind::reference,
                              .model = base,
                              .windows = settings_.windows,
                              .texts = texts_digest()};
    if (std::filesystem::exists(path)) {
      eval::RecordFile file = TRY(eval::RecordFile::open(path));
      TRY(eval::check_same_work(file.header(), wanted, path));
      const auto plan = file.header().plan();
      TRY(file.resume(plan));
      if (file.blocks() == plan.size()) return file;
    }
    std::optional<eval::RecordFile> out;
    TRY(with_worker(settings_.base, worker_options(), [&](const ScoringWorker& worker) -> Result<> {
      if (!std::filesystem::exists(path)) {
        eval::RecordHeader made = wanted;
        made.model.engine = worker.info().engine_build;
        made.vocabulary = worker.info().limits.vocabulary;
        made.top = std::min<std::uint32_t>(eval::top_tokens, made.vocabulary);
        made.content = TRY(tokenized(worker));
        out.reset();
        out = TRY(eval::RecordFile::create(path, std::move(made)));
      } else {
        out.reset();
        out = TRY(eval::RecordFile::open(path));
        wanted.model.engine = worker.info().engine_build;
        TRY(eval::check_same_work(out->header(), wanted, path));
      }
      if (out->header().plan().empty()) {
        return fail(Code::invalid_argument,
                    "no token is scored: the texts are too short, or --skip is too large");
      }
      return eval::record_reference(*out, worker.source(), progress("recording " + base.name),
                                    stop_);
    }));
    return *std::move(out);
  }

  Result<std::vector<eval::ScoredText>> tokenized(const ScoringWorker& worker) const {
    const node::WorkerInfo& info = worker.info();
    const auto format = settings_.chat_format.empty()
                            ? chat::choose_format({.template_text = info.chat_template,
                                                   .architecture = info.architecture,
                                                   .model_name = info.model_name,
                                                   .has_token = {}})
                            : TRY(chat::make_format(settings_.chat_format));
    std::vector<eval::ScoredText> out;
    std::uint64_t tokens = 0;
    for (const eval::TextFile& file : files_) {
      auto scored = score(file, *format, worker.tokenizer());
      if (!scored) return std::unexpected(with_context(std::move(scored).error(), file.name));
      scored->name = file.name;
      scored->text_class = file.text_class;
      tokens += scored->tokens.size();
      out.push_back(*std::move(scored));
      if (tokens > eval::kl_tokens_max || out.size() > eval::kl_texts_max) {
        return fail(Code::invalid_argument,
                    fmt::format("more than {} tokens or {} texts; give fewer", eval::kl_tokens_max,
                                eval::kl_texts_max));
      }
    }
    return out;
  }

  static Result<eval::ScoredText> score(const eval::TextFile& file, const chat::Format& format,
                                        const eval::TextTokenizer& tokenizer) {
    if (!file.is_transcript) return eval::score_plain_text(file.text, tokenizer);
    const Json json = TRY(parse_json(file.text));
    const chat::Conversation conversation = TRY(eval::conversation_from_json(json));
    return eval::score_transcript(conversation, format, tokenizer);
  }

  // The mark gets the engine that computed.
  Result<eval::TextDivergences> compared(const eval::RecordFile& reference,
                                         const std::filesystem::path& model,
                                         eval::ModelMark& mark, const std::string& name,
                                         const node::WorkerOptions& options) {
    const auto path = folder_ / (name + ".hkl");
    eval::RecordHeader wanted{.kind = eval::RecordKind::comparison,
                              .model = mark,
                              .windows = reference.header().windows,
                              .texts = reference.header().texts,
                              .reference = reference.digest().hex()};
    const auto plan = reference.header().plan();
    if (std::filesystem::exists(path)) {
      eval::RecordFile file = TRY(eval::RecordFile::open(path));
      TRY(eval::check_same_work(file.header(), wanted, path));
      TRY(file.resume(plan));
      mark.engine = file.header().model.engine;
      if (file.blocks() == plan.size()) return eval::read_divergences(reference.header(), file);
    }
    eval::TextDivergences out;
    TRY(with_worker(model, options, [&](const ScoringWorker& worker) -> Result<> {
      wanted.model.engine = mark.engine = worker.info().engine_build;
      wanted.vocabulary = reference.header().vocabulary;
      wanted.top = reference.header().top;
      eval::RecordFile file =
          TRY(std::filesystem::exists(path) ? eval::RecordFile::open(path)
                                            : eval::RecordFile::create(path, wanted));
      TRY(eval::check_same_work(file.header(), wanted, path));
      TRY(eval::compare_candidate(reference, file, worker.source(),
                                  progress("comparing " + mark.name), stop_));
      out = TRY(eval::read_divergences(reference.header(), file));
      return {};
    }));
    return out;
  }

  const KlSettings& settings_;
  const StopToken stop_;
  Progress progress_;
  std::filesystem::path folder_;
  std::vector<eval::TextFile> files_;
};

}  // namespace

Result<eval::KlReport> run_kl(const KlSettings& settings, const StopToken& stop) {
  return KlRun(settings, stop).run();
}

}  // namespace hearth::cli
