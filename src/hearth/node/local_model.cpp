#include "hearth/node/local_model.h"

#include <utility>

#include "hearth/base/log.h"
#include "hearth/node/prepared_answer.h"

namespace hearth::node {
namespace {

constexpr Duration tokenize_deadline = std::chrono::seconds(30);
// A worker takes a request in between two steps, which may be long ones.
constexpr Duration head_deadline = std::chrono::minutes(10);
constexpr int attempts_max = 3;

std::vector<std::string> adapter_names(const WorkerInfo& info) {
  std::vector<std::string> out;
  for (const model::NamedAdapters& set : info.adapter_sets) out.push_back(set.name);
  return out;
}

engine::ModelFacts facts_of(const WorkerInfo& info) {
  return {.model_name = info.model_name, .architecture = info.architecture,
          .engine_version = info.engine_version, .backend = info.backend,
          .chat_template = info.chat_template, .limits = info.limits,
          .bos_token = info.bos_token, .adds_bos = info.adds_bos, .adapters = adapter_names(info)};
}

}  // namespace

LocalModel::LocalModel(LocalModelOptions options)
    : options_(std::move(options)), files_(real_file_system()), http_(net::make_curl_client()) {}

Result<std::unique_ptr<LocalModel>> LocalModel::start(LocalModelOptions options,
                                                      WorkerKeeper::Progress progress,
                                                      const StopToken& stop) {
  std::unique_ptr<LocalModel> model(new LocalModel(std::move(options)));
  if (!model->options_.store_directory.empty()) {
    TRY(model->files_->create_directories(model->options_.store_directory));
    model->store_ = TRY(kv::ChunkStore::open(
        {.directory = model->options_.store_directory,
         .memory_bytes_max = model->options_.store_memory_bytes_max,
         .disk_bytes_max = model->options_.store_disk_bytes_max},
        *model->files_, model->clock_));
  }
  model->keeper_ = TRY(WorkerKeeper::start(model->options_.keeper, *model->http_,
                                           std::move(progress), stop));
  const auto worker = TRY(model->keeper_->wait_for_worker(Deadline::never(), stop));
  model->facts_ = facts_of(worker->info);
  if (!worker->info.layout()) {
    log_warning("KV is not kept: " + worker->info.kv_refusal);
  } else if (model->store_ || model->options_.sealed_store != nullptr) {
    model->saver_ = std::make_unique<KvSaver>(*model->keeper_);
  }
  return model;
}

LocalModel::~LocalModel() {
  if (const auto flushed = flush(Deadline::after(options_.flush_wait)); !flushed) {
    log_warning("some KV is not on disk: " + flushed.error().message);
  }
}

Result<> LocalModel::flush(Deadline deadline) {
  if (saver_) saver_->drain(deadline);
  if (options_.sealed_store != nullptr) {
    if (const auto sealed = options_.sealed_store->get()) TRY(sealed->flush(deadline));
  }
  return store_ ? store_->flush(deadline) : Result<>();
}

std::optional<engine::ModelStall> LocalModel::stall() const {
  const auto found = keeper_->stall();
  if (!found) return {};
  const Instant now = clock_.now();
  return engine::ModelStall{.part = cluster::stall_part_name(found->part),
                            .what = cluster::stall_text(*found, now),
                            .lasted = now - found->since};
}

template <class Use>
auto LocalModel::with_worker(const StopToken& stop, Use use)
    -> decltype(use(std::declval<const KeptWorker&>())) {
  for (int attempt = 1;; ++attempt) {
    // Each time anew: the one that died may have worked for minutes.
    const auto worker = TRY(keeper_->wait_for_worker(Deadline::after(options_.ready_wait), stop));
    auto used = use(*worker);
    if (used || used.error().code != Code::unavailable || attempt == attempts_max) return used;
    keeper_->suspect(worker);
  }
}

Result<std::vector<Token>> LocalModel::tokenize(std::string_view text, bool special,
                                                const StopToken& stop) {
  return with_worker(stop, [&](const KeptWorker& worker) {
    return worker.client.tokenize(text, special, Deadline::after(tokenize_deadline), stop);
  });
}

Result<std::unique_ptr<engine::AnswerStream>> LocalModel::generate(engine::GenerateRequest request,
                                                                   const StopToken& stop) {
  if (request.is_labelled) has_sealed_kv_ = true;
  if (needs_hand_off(request)) {
    return std::make_unique<PreparedAnswer>(*this, std::move(request), stop);
  }
  return with_worker(stop, [&](const KeptWorker& worker) {
    if (request.is_labelled) has_sealed_kv_ = true;  // of this worker: the one before may have been ended by a lock
    return generate_on(worker, request, {}, stop);
  });
}

Result<> LocalModel::unpin(std::string_view owner) {
  if (store_) TRY(store_->unpin_all(owner));
  return options_.sealed_store != nullptr ? options_.sealed_store->unpin_all(owner) : Result<>();
}

Result<engine::KvForgotten> LocalModel::forget(std::string_view user) {
  const Deadline deadline = Deadline::after(options_.flush_wait);
  if (saver_) saver_->drain(deadline);  // what is under way is somebody's too
  engine::KvForgotten out;
  const auto add = [&out](const kv::ForgetReport& report) {
    out.dropped += report.dropped;
    out.bytes += report.bytes;
    out.shared += report.shared;
    out.pinned += report.pinned;
  };
  if (store_) add(TRY(store_->forget(user, deadline)));
  if (options_.sealed_store != nullptr) add(TRY(options_.sealed_store->forget(user, deadline)));
  return out;
}

std::shared_ptr<kv::ChunkStore> LocalModel::store_for(const engine::GenerateRequest& request) const {
  if (!request.is_labelled) return store_;
  return options_.sealed_store != nullptr ? options_.sealed_store->get() : nullptr;
}

void LocalModel::forget_sealed() {
  if (has_sealed_kv_.exchange(false)) keeper_->renew();
}

bool LocalModel::needs_hand_off(const engine::GenerateRequest& request) const {
  const std::span<const Token> prompt(request.prompt);
  const auto worker = keeper_->current();
  if (!worker || !saver_ || prompt.size() <= worker->info.chunk_tokens) return false;
  const auto layout = worker->info.layout(request.adapter);
  if (!layout) return false;
  const auto store = store_for(request);
  if (!store) return false;
  if ((prefiller_ != nullptr && !request.is_labelled) || worker->info.limits.is_append_only) return true;
  const auto target = prompt.first(prompt.size() - 1);
  return !store->longest_prefix(*layout, target).chunks.empty();
}

Result<std::unique_ptr<engine::AnswerStream>> LocalModel::prepare(const engine::GenerateRequest& request,
                                                                  Instant began,
                                                                  const HandOffProgress& progress,
                                                                  const StopToken& stop) {
  Prefiller* const prefiller = request.is_labelled ? nullptr : prefiller_;
  const auto store = store_for(request);
  const std::uint64_t number = prefiller ? ++last_request_ : 0;
  auto answer = with_worker(stop, [&](const KeptWorker& worker)
                               -> Result<std::unique_ptr<engine::AnswerStream>> {
    if (request.is_labelled) has_sealed_kv_ = true;
    Preparation preparation{.request = number, .began = began,
                            .answers_beside = counts_.being_written, .answers_begun = counts_.begun};
    const HandOffParts parts{.decode = worker.client, .decode_info = worker.info,
                             .adapter = request.adapter, .prefiller = prefiller, .store = store.get(),
                             .request = number, .began = began, .answers_beside = preparation.answers_beside,
                             // Of these models nothing can be exported afterwards.
                             .computes_missing = worker.info.limits.is_append_only};
    engine::GenerateRequest prepared = request;
    auto handed = hand_off(parts, request.prompt, progress, stop);
    // Now: the request may end before there is an answer to keep KV of.
    if (store) note_user(*store, worker.info.layout(request.adapter), request.prompt, request.kv_user);
    if (handed) {
      for (const std::string& note : handed->report.notes) log_warning(note);
      prepared.lease = handed->lease;
      preparation.hand_off = handed->report.facts();
      if (handed->report.was_computed_here) {
        preparation.computed_here = handed->report.computed_tokens;
        preparation.prefill_here = handed->report.prefill;
      } else {
        preparation.computed_elsewhere = handed->report.computed_tokens;
      }
    } else if (handed.error().code != Code::resource_exhausted) {
      return std::unexpected(std::move(handed.error()));
    }
    // Every sequence in use: the request waits for one, and may compute what the store has.
    return generate_on(worker, prepared, std::move(preparation), stop);
  });
  if (!answer && prefiller != nullptr) prefiller->on_left(number);
  return answer;
}

Result<std::unique_ptr<engine::AnswerStream>> LocalModel::generate_on(
    const KeptWorker& worker, const engine::GenerateRequest& request,
    Preparation preparation, const StopToken& stop) {
  auto generation = TRY(worker.client.generate(request, Deadline::after(head_deadline), stop));
  return std::make_unique<SavedAnswer>(std::move(generation), request,
                                       SavedAnswerParts{.saver = saver_.get(), .prefiller = prefiller_,
                                                        .store = store_for(request), .preparation = std::move(preparation),
                                                        .chunk_tokens = worker.info.chunk_tokens,
                                                        .counts = &counts_});
}

}  // namespace hearth::node
