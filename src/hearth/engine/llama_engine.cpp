#include "hearth/engine/llama_engine.h"

#include <fmt/format.h>
#include <llama.h>

#include <algorithm>

#include "hearth/base/check.h"
#include "hearth/base/log.h"
#include "hearth/base/thread.h"
#include "hearth/base/utf8.h"
#include "hearth/engine/llama_adapters.h"
#include "hearth/engine/llama_devices.h"
#include "hearth/engine/llama_load.h"
#include "hearth/engine/llama_process.h"
#include "hearth/engine/llama_sampler.h"
#include "hearth/engine/llama_state.h"

namespace hearth::engine {
namespace {

class LlamaEngineImplementation final : public LlamaEngine {
 public:
  static Result<std::unique_ptr<LlamaEngine>> load(const LlamaEngineOptions& options,
                                                   const LoadProgress& progress,
                                                   const StopToken& stop);
  ~LlamaEngineImplementation() override {
    if (batch_.token != nullptr) llama_batch_free(batch_);
  }

  const EngineInfo& info() const override { return info_; }
  const EngineLimits& limits() const override { return limits_; }

  Result<> decode(std::span<const BatchItem> items, const StopToken& stop) override;
  Result<> use_adapters(AdapterSetId set) override { return adapters_.apply(context_.get(), set); }
  Result<AdapterSetId> find_adapters(std::string_view name) const override { return adapters_.find(name); }
  std::span<const float> logits(std::size_t index) override;
  Result<> truncate(SequenceId sequence, std::uint32_t length) override;
  Result<> share_prefix(SequenceId from, SequenceId to, std::uint32_t length) override;
  Result<Buffer> export_state(SequenceId sequence, TokenRange range,
                              model::Completeness completeness) override;
  Result<model::Completeness> import_state(SequenceId sequence, TokenRange range,
                                           ByteSpan blob) override;
  Result<std::unique_ptr<Sampler>> make_sampler(const SamplingOptions& options,
                                                std::span<const Token> prompt) override {
    return make_llama_sampler(vocab_, options, prompt);
  }
  Result<std::vector<Token>> tokenize(std::string_view text, bool parse_special) const override;
  std::string token_text(Token token, bool special) const override;
  bool is_end_of_generation(Token token) const override {
    return llama_vocab_is_eog(vocab_, token);
  }

 private:
  Result<> make_context(const LlamaEngineOptions& options);
  Result<> describe(const LlamaEngineOptions& options, const model::ModelFiles& files);
  Result<model::LayoutIdentity> identify(const LlamaEngineOptions& options,
                                         const model::ModelFiles& files);
  Result<> warm_up(const StopToken& stop);
  llama_memory_t memory() const { return llama_get_memory(context_.get()); }
  void check_sequence(SequenceId sequence) const {
    CHECK(sequence.value >= 0 && sequence.value < static_cast<std::int32_t>(limits_.sequences));
  }

  DevicePlacement placement_;
  StopToken decode_stop_;
  ModelHandle model_;
  LlamaAdapters adapters_;
  ContextHandle context_;
  const llama_vocab* vocab_ = nullptr;
  llama_batch batch_{};
  std::optional<LlamaState> state_;
  EngineLimits limits_;
  EngineInfo info_;
};

Result<> LlamaEngineImplementation::make_context(const LlamaEngineOptions& options) {
  context_ = TRY(engine::make_context(*model_, options, decode_stop_));
  limits_ = {.context_tokens = llama_n_ctx(context_.get()),
             .batch_tokens = llama_n_batch(context_.get()),
             .ubatch_tokens = llama_n_ubatch(context_.get()),
             .sequences = options.sequences,
             .vocabulary = static_cast<std::uint32_t>(llama_vocab_n_tokens(vocab_)),
             .score_rows = score_rows(*model_, options),
             .is_append_only = info_.shape.kv_kind != model::KvKind::attention &&
                               info_.shape.kv_kind != model::KvKind::mla,
             .has_recurrent_state = info_.shape.recurrent.has_value(),
             .adapter_sets = static_cast<std::uint32_t>(info_.adapter_sets.size())};
  batch_ = llama_batch_init(static_cast<int>(limits_.batch_tokens), 0, 1);
  state_.emplace(context_.get(), static_cast<std::int32_t>(limits_.sequences));
  return {};
}

Result<> LlamaEngineImplementation::describe(const LlamaEngineOptions& options,
                                             const model::ModelFiles& files) {
  info_.version = engine_version();
  info_.build = engine_build();
  info_.devices = placement_.described;
  info_.backend = placement_.devices.size() > 1 ? ggml_backend_dev_name(placement_.devices.front()) : "CPU";
  const char* chat_template = llama_model_chat_template(model_.get(), nullptr);
  if (chat_template != nullptr) info_.chat_template = chat_template;
  info_.bos_token = llama_vocab_bos(vocab_);
  info_.adds_bos = llama_vocab_get_add_bos(vocab_);
  info_.model_bytes = llama_model_size(model_.get());
  info_.buffers = logged_buffers();
  info_.kv_bytes =
      model::kv_bytes(info_.shape, options.kv_type, limits_.context_tokens).value_or(0);
  if (auto identity = identify(options, files)) {
    info_.identity = std::move(*identity);
  } else {
    info_.kv_refusal = identity.error().message;
    log_warning(fmt::format("KV transfer is off: {}", info_.kv_refusal));
  }
  return {};
}

Result<model::LayoutIdentity> LlamaEngineImplementation::identify(
    const LlamaEngineOptions& options, const model::ModelFiles& files) {
  const auto expected =
      TRY(model::expected_state_layout(info_.shape, options.kv_type, /*flash_attention=*/true));
  const Token token = info_.bos_token >= 0 ? info_.bos_token : 0;
  model::LayoutIdentity identity;
  identity.state = TRY(state_->prove(*this, token, expected));
  identity.architecture = info_.shape.architecture;
  identity.gguf = model::gguf_identity(files);
  identity.weights = TRY(model::weights_fingerprint(files));
  identity.tokenizer = model::tokenizer_digest(files.metadata());
  identity.layers = info_.shape.layers;
  identity.k_type = options.kv_type;
  identity.v_type = options.kv_type;
  identity.rope = info_.shape.rope;
  return identity;
}

Result<std::unique_ptr<LlamaEngine>> LlamaEngineImplementation::load(
    const LlamaEngineOptions& options, const LoadProgress& progress, const StopToken& stop) {
  load_backends();
  forget_buffers();
  const auto files = TRY(model::load_model_files(options.model_path));
  auto engine = std::make_unique<LlamaEngineImplementation>();
  engine->info_.shape = TRY(model::read_shape(files));
  auto adapters = TRY(model::check_adapters(options.adapters, {files, engine->info_.shape}));
  LlamaEngineOptions first_shard = options;
  first_shard.model_path = files.shards.front().path;
  engine->placement_ = TRY(place_on_devices(options, engine->info_.shape.layers));
  engine->model_ =
      TRY(load_model(first_shard, engine->placement_, engine->info_.shape, progress, stop));
  engine->vocab_ = llama_model_get_vocab(engine->model_.get());
  engine->adapters_ = TRY(LlamaAdapters::load(*engine->model_, std::move(adapters)));
  engine->info_.adapter_sets = engine->adapters_.described();
  TRY(engine->make_context(options));
  TRY(engine->describe(options, files));
  TRY(engine->warm_up(stop));
  return engine;
}

// The first pass touches the pages of weights and buffers, and backends build their kernels in it: that belongs to loading, not
// to somebody's first prompt.
Result<> LlamaEngineImplementation::warm_up(const StopToken& stop) {
  const std::uint32_t tokens = std::min(limits_.ubatch_tokens, limits_.context_tokens);
  std::vector<BatchItem> items;
  for (std::uint32_t i = 0; i < tokens; ++i) {  // different ones: each touches other experts
    items.push_back({.token = static_cast<Token>(i % limits_.vocabulary), .position = i, .sequence = SequenceId{0},
                     .wants_logits = i + 1 == tokens});
  }
  TRY(decode(items, stop));
  llama_memory_clear(memory(), /*data=*/false);  // not truncate: a cache with a window would go on behind these cells
  return {};
}

Result<> LlamaEngineImplementation::decode(std::span<const BatchItem> items,
                                           const StopToken& stop) {
  CHECK(!items.empty() && items.size() <= limits_.batch_tokens);  // libllama aborts beyond
  batch_.n_tokens = static_cast<int>(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    check_sequence(items[i].sequence);
    batch_.token[i] = items[i].token;
    batch_.pos[i] = static_cast<llama_pos>(items[i].position);
    batch_.n_seq_id[i] = 1;
    batch_.seq_id[i][0] = items[i].sequence.value;
    batch_.logits[i] = items[i].wants_logits ? 1 : 0;
  }
  decode_stop_ = stop;
  const int status = llama_decode(context_.get(), batch_);
  decode_stop_ = {};
  expect_complaints(false);
  switch (status) {
    case 0: return {};
    case 1: return fail(Code::resource_exhausted, "no free cells left in the context");
    case 2: return fail(Code::cancelled, "the computation was cancelled");
    default:
      return fail(Code::internal,
                  fmt::format("the engine failed to decode {} tokens (status {}): {}",
                              items.size(), status, last_complaint()));
  }
}

std::span<const float> LlamaEngineImplementation::logits(std::size_t index) {
  const float* row = llama_get_logits_ith(context_.get(), static_cast<int>(index));
  CHECK(row != nullptr);
  return {row, limits_.vocabulary};
}

Result<> LlamaEngineImplementation::truncate(SequenceId sequence, std::uint32_t length) {
  check_sequence(sequence);
  if (!llama_memory_seq_rm(memory(), sequence.value, static_cast<llama_pos>(length), -1)) {
    return fail(Code::unsupported,
                fmt::format("this model's memory cannot be cut back to {} tokens", length));
  }
  return {};
}

Result<> LlamaEngineImplementation::share_prefix(SequenceId from, SequenceId to,
                                                 std::uint32_t length) {
  check_sequence(from);
  check_sequence(to);
  CHECK(llama_memory_seq_pos_max(memory(), to.value) < 0);
  llama_memory_seq_cp(memory(), from.value, to.value, 0, static_cast<llama_pos>(length));
  return {};
}

Result<Buffer> LlamaEngineImplementation::export_state(SequenceId sequence, TokenRange range,
                                                       model::Completeness completeness) {
  check_sequence(sequence);
  if (!info_.identity) return fail(Code::unsupported, "KV export is off: " + info_.kv_refusal);
  return state_->export_range(sequence, range, completeness);
}

Result<model::Completeness> LlamaEngineImplementation::import_state(SequenceId sequence,
                                                                    TokenRange range,
                                                                    ByteSpan blob) {
  check_sequence(sequence);
  if (!info_.identity) return fail(Code::unsupported, "KV import is off: " + info_.kv_refusal);
  return state_->import_range(sequence, range, blob);
}

Result<std::vector<Token>> LlamaEngineImplementation::tokenize(std::string_view text,
                                                               bool parse_special) const {
  if (const std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos) {
    return fail(Code::invalid_argument, fmt::format("the text is not UTF-8 at byte {}", bad));
  }
  std::vector<Token> tokens(text.size() + 1);
  const auto length = static_cast<int>(text.size());
  int count = llama_tokenize(vocab_, text.data(), length, tokens.data(),
                             static_cast<int>(tokens.size()), /*add_special=*/false, parse_special);
  if (count < 0) {
    tokens.resize(static_cast<std::size_t>(-static_cast<std::int64_t>(count)));
    count = llama_tokenize(vocab_, text.data(), length, tokens.data(),
                           static_cast<int>(tokens.size()), /*add_special=*/false, parse_special);
  }
  if (count < 0) return fail(Code::internal, "the tokenizer failed on this text");
  tokens.resize(static_cast<std::size_t>(count));
  return tokens;
}

std::string LlamaEngineImplementation::token_text(Token token, bool special) const {
  return token_piece(vocab_, token, special);
}

}  // namespace

Result<std::unique_ptr<LlamaEngine>> load_llama_engine(const LlamaEngineOptions& options,
                                                       const LoadProgress& progress,
                                                       const StopToken& stop) {
  // The proof of the state decodes. OpenMP keeps a pool of threads for every thread that has done
  // so, as long as that one lives, and with two pools on the same cores it stops spinning at
  // barriers: decoding got half as fast. So the pool that loading makes ends with a thread of its
  // own.
  Result<std::unique_ptr<LlamaEngine>> loaded = fail(Code::internal, "loading has not begun");
  Thread loader("engine_load",
                [&] { loaded = LlamaEngineImplementation::load(options, progress, stop); });
  loader.join();
  return loaded;
}

}  // namespace hearth::engine
