#include "hearth/engine/llama_engine.h"

#include <fmt/format.h>
#include <ggml-backend.h>
#include <llama.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "hearth/base/check.h"
#include "hearth/base/log.h"
#include "hearth/base/thread.h"
#include "hearth/base/utf8.h"
#include "hearth/engine/llama_sampler.h"

namespace hearth::engine {
namespace {

struct ModelDeleter {
  void operator()(llama_model* model) const { llama_model_free(model); }
};
struct ContextDeleter {
  void operator()(llama_context* context) const { llama_free(context); }
};

// The engine's log callback is global; so is the last thing it complained about.
std::mutex last_complaint_mutex;
std::string last_complaint_text;
// Set while a batch is being cancelled: what the engine then complains about is our own doing.
std::atomic<bool> cancelling{false};

std::string last_complaint() {
  const std::lock_guard hold(last_complaint_mutex);
  return last_complaint_text.empty() ? "the engine gave no reason" : last_complaint_text;
}

void on_engine_log(ggml_log_level level, const char* text, void*) {
  std::string_view line(text);
  while (line.ends_with('\n')) line.remove_suffix(1);
  if (line.empty()) return;
  if (level == GGML_LOG_LEVEL_ERROR) {
    const std::lock_guard hold(last_complaint_mutex);
    last_complaint_text = line;
  }
  const bool matters = level == GGML_LOG_LEVEL_ERROR && !cancelling.load();
  log_line(matters ? LogLevel::warning : LogLevel::debug, line);
}

ggml_type ggml_type_of(model::KvType type) {
  return static_cast<ggml_type>(type);
}

std::string_view device_kind(ggml_backend_dev_t device) {
  switch (ggml_backend_dev_type(device)) {
    case GGML_BACKEND_DEVICE_TYPE_CPU: return "cpu";
    case GGML_BACKEND_DEVICE_TYPE_GPU: return "gpu";
    case GGML_BACKEND_DEVICE_TYPE_IGPU: return "gpu, shared memory";
    default: return "accelerator";
  }
}

std::vector<DeviceInfo> list_devices() {
  std::vector<DeviceInfo> out;
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    std::size_t free_bytes = 0;
    std::size_t total_bytes = 0;
    ggml_backend_dev_memory(device, &free_bytes, &total_bytes);
    out.push_back({ggml_backend_dev_name(device), ggml_backend_dev_description(device),
                   std::string(device_kind(device)), total_bytes});
  }
  return out;
}

bool computes(ggml_backend_dev_t device) {
  const auto type = ggml_backend_dev_type(device);
  return type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU;
}

// NULL-terminated, as libllama wants it. Only the terminator: the CPU.
// Whether the CPU backend stores weights in buffers of that name.
bool cpu_has_buffers(std::string_view name) {
  ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  if (cpu == nullptr) return false;
  const auto extra_buffers = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
      ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(cpu), "ggml_backend_dev_get_extra_bufts"));
  if (extra_buffers == nullptr) return false;
  for (auto* type = extra_buffers(cpu); type != nullptr && *type != nullptr; ++type) {
    if (std::string_view(ggml_backend_buft_name(*type)).find(name) != std::string_view::npos) return true;
  }
  return false;
}

Result<std::vector<ggml_backend_dev_t>> choose_devices(const std::string& wanted) {
  std::vector<ggml_backend_dev_t> out;
  std::string names = "cpu";
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    if (!computes(device)) continue;
    names += fmt::format(", {}", ggml_backend_dev_name(device));
    if (wanted == "auto" || wanted == ggml_backend_dev_name(device)) out.push_back(device);
  }
  if (out.empty() && wanted != "auto" && wanted != "cpu") {
    return fail(Code::not_found, fmt::format("no device named '{}' here; there is: {}", wanted, names));
  }
  out.push_back(nullptr);
  return out;
}

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
  std::span<const float> logits(std::size_t index) override;
  Result<> truncate(SequenceId sequence, std::uint32_t length) override;
  Result<> share_prefix(SequenceId from, SequenceId to, std::uint32_t length) override;
  Result<Buffer> export_state(SequenceId sequence, TokenRange range) override;
  Result<> import_state(SequenceId sequence, TokenRange range, ByteSpan blob) override;
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
  Result<> load_model(const LlamaEngineOptions& options, const LoadProgress& progress,
                      const StopToken& stop);
  Result<> make_context(const LlamaEngineOptions& options);
  Result<> describe(const LlamaEngineOptions& options, const model::ModelFiles& files);
  Result<model::LayoutIdentity> prove_state(const LlamaEngineOptions& options,
                                            const model::ModelFiles& files);
  Result<Buffer> raw_export(SequenceId sequence, TokenRange range);
  llama_seq_id scratch() const { return static_cast<llama_seq_id>(limits_.sequences); }
  llama_memory_t memory() const { return llama_get_memory(context_.get()); }
  void check_sequence(SequenceId sequence) const {
    CHECK(sequence.value >= 0 && sequence.value < scratch());
  }

  std::unique_ptr<llama_model, ModelDeleter> model_;
  std::unique_ptr<llama_context, ContextDeleter> context_;
  const llama_vocab* vocab_ = nullptr;
  llama_batch batch_{};
  std::vector<ggml_backend_dev_t> devices_;
  StopToken decode_stop_;
  EngineLimits limits_;
  EngineInfo info_;
};

Result<> LlamaEngineImplementation::load_model(const LlamaEngineOptions& options,
                                               const LoadProgress& progress, const StopToken& stop) {
  struct Watch {
    const LoadProgress& progress;
    const StopToken& stop;
  } watch{progress, stop};
  llama_model_params params = llama_model_default_params();
  devices_ = TRY(choose_devices(options.device));
  params.devices = devices_.data();
  params.n_gpu_layers = devices_.size() > 1 ? -1 : 0;
  // libllama 0.7 puts the three-dimensional matrices of MLA into AMX buffers, for which it then finds
  // no backend, and ends the process.
  params.use_extra_bufts = !(info_.shape.mla.has_value() && cpu_has_buffers("AMX"));
  params.load_mode = options.memory_map ? LLAMA_LOAD_MODE_AUTO : LLAMA_LOAD_MODE_NONE;
  params.progress_callback_user_data = &watch;
  params.progress_callback = [](float fraction, void* data) {
    const auto* watching = static_cast<Watch*>(data);
    if (watching->progress) watching->progress(double{fraction});
    return !watching->stop.stop_requested();
  };
  model_.reset(llama_model_load_from_file(options.model_path.c_str(), params));
  if (stop.stop_requested()) return fail(Code::cancelled, "loading was cancelled");
  if (!model_) {
    return fail(Code::unsupported, fmt::format("the engine cannot load {}: {}",
                                               options.model_path.string(), last_complaint()));
  }
  vocab_ = llama_model_get_vocab(model_.get());
  return {};
}

Result<> LlamaEngineImplementation::make_context(const LlamaEngineOptions& options) {
  const std::uint32_t threads =
      options.threads > 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
  llama_context_params params = llama_context_default_params();
  params.n_ctx = options.context_tokens;
  params.n_batch = options.batch_tokens;
  params.n_ubatch = options.ubatch_tokens;
  params.n_seq_max = options.sequences + 1;      // the last one is the scratch of state transfer
  params.n_outputs_max = options.sequences + 1;  // one row of logits per answer, not per token
  params.n_threads = static_cast<int>(threads);
  params.n_threads_batch = static_cast<int>(threads);
  params.type_k = ggml_type_of(options.kv_type);
  params.type_v = ggml_type_of(options.kv_type);
  params.kv_unified = true;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  params.swa_full = false;
  params.no_perf = true;
  params.abort_callback_data = this;
  params.abort_callback = [](void* data) {
    const bool stop = static_cast<LlamaEngineImplementation*>(data)->decode_stop_.stop_requested();
    if (stop) cancelling = true;
    return stop;
  };
  context_.reset(llama_init_from_model(model_.get(), params));
  if (!context_) {
    return fail(Code::resource_exhausted,
                fmt::format("the engine cannot make a context of {} tokens with {} KV: {}",
                            options.context_tokens, model::kv_type_name(options.kv_type),
                            last_complaint()));
  }
  limits_ = {.context_tokens = llama_n_ctx(context_.get()),
             .batch_tokens = llama_n_batch(context_.get()),
             .ubatch_tokens = llama_n_ubatch(context_.get()),
             .sequences = options.sequences,
             .vocabulary = static_cast<std::uint32_t>(llama_vocab_n_tokens(vocab_))};
  batch_ = llama_batch_init(static_cast<int>(limits_.batch_tokens), 0, 1);
  return {};
}

Result<> LlamaEngineImplementation::describe(const LlamaEngineOptions& options,
                                             const model::ModelFiles& files) {
  info_.version = llama_version();
  info_.build = HEARTH_ENGINE_BUILD;
  info_.devices = list_devices();
  info_.backend = devices_.size() > 1 ? ggml_backend_dev_name(devices_.front()) : "CPU";
  if (const char* text = llama_model_chat_template(model_.get(), nullptr)) info_.chat_template = text;
  info_.bos_token = llama_vocab_bos(vocab_);
  info_.adds_bos = llama_vocab_get_add_bos(vocab_);
  info_.model_bytes = llama_model_size(model_.get());
  info_.kv_bytes = model::kv_bytes(info_.shape, options.kv_type, limits_.context_tokens).value_or(0);
  if (auto identity = prove_state(options, files)) {
    info_.identity = std::move(*identity);
  } else {
    info_.kv_refusal = identity.error().message;
    log_warning(fmt::format("KV transfer is off: {}", info_.kv_refusal));
  }
  return {};
}

// Everything that can be different about the state of a new engine release, a new architecture or
// a new environment shows here, before any KV is trusted.
Result<model::LayoutIdentity> LlamaEngineImplementation::prove_state(
    const LlamaEngineOptions& options, const model::ModelFiles& files) {
  const auto expected =
      TRY(model::expected_state_layout(info_.shape, options.kv_type, /*flash_attention=*/true));
  const SequenceId first{0};
  const SequenceId second{limits_.sequences > 1 ? 1 : 0};
  const TokenRange range{0, 1};
  const Token token = info_.bos_token >= 0 ? info_.bos_token : 0;
  const BatchItem item{token, 0, first, /*wants_logits=*/false};
  TRY(decode(std::span(&item, 1), {}));
  const Buffer raw = TRY(raw_export(first, range));
  model::LayoutIdentity identity;
  identity.state = TRY(model::learn_state_layout(raw.span(), expected, range));
  identity.architecture = info_.shape.architecture;
  identity.gguf = model::gguf_identity(files);
  identity.weights = TRY(model::weights_fingerprint(files));
  identity.tokenizer = model::tokenizer_digest(files.metadata());
  identity.layers = info_.shape.layers;
  identity.k_type = options.kv_type;
  identity.v_type = options.kv_type;
  identity.rope = info_.shape.rope;
  info_.identity = identity;  // export_state and import_state need the layout
  const Buffer exported = TRY(export_state(first, range));
  TRY(truncate(first, 0));
  TRY(import_state(second, range, exported.span()));
  const Buffer again = TRY(export_state(second, range));
  TRY(truncate(second, 0));
  info_.identity.reset();
  if (!std::ranges::equal(exported.span(), again.span())) {
    return fail(Code::unsupported, "an exported and re-imported token came back different");
  }
  return identity;
}

Result<std::unique_ptr<LlamaEngine>> LlamaEngineImplementation::load(
    const LlamaEngineOptions& options, const LoadProgress& progress, const StopToken& stop) {
  load_backends();
  const auto files = TRY(model::load_model_files(options.model_path));
  auto engine = std::make_unique<LlamaEngineImplementation>();
  engine->info_.shape = TRY(model::read_shape(files));
  LlamaEngineOptions first_shard = options;
  first_shard.model_path = files.shards.front().path;
  TRY(engine->load_model(first_shard, progress, stop));
  TRY(engine->make_context(options));
  TRY(engine->describe(options, files));
  return engine;
}

Result<> LlamaEngineImplementation::decode(std::span<const BatchItem> items, const StopToken& stop) {
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
  cancelling = false;
  switch (status) {
    case 0: return {};
    case 1: return fail(Code::resource_exhausted, "no free cells left in the context");
    case 2: return fail(Code::cancelled, "the computation was cancelled");
    default:
      return fail(Code::internal, fmt::format("the engine failed to decode {} tokens (status {}): {}",
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

// A scratch sequence shares the cells of the range, so that exactly they are written.
Result<Buffer> LlamaEngineImplementation::raw_export(SequenceId sequence, TokenRange range) {
  check_sequence(sequence);
  CHECK(!range.is_empty());
  llama_context* context = context_.get();
  llama_synchronize(context);
  llama_memory_seq_cp(memory(), sequence.value, scratch(), static_cast<llama_pos>(range.begin),
                      static_cast<llama_pos>(range.end));
  // The size follows from the layout once that is known; asking costs a walk over all cells.
  const std::size_t bytes = info_.identity ? model::state_bytes(info_.identity->state, range.count())
                                           : llama_state_seq_get_size(context, scratch());
  auto buffer = Buffer::create(bytes);
  std::size_t written = 0;
  if (buffer) {
    written = llama_state_seq_get_data(
        context, reinterpret_cast<std::uint8_t*>(buffer->data()), bytes, scratch());
  }
  llama_memory_seq_rm(memory(), scratch(), -1, -1);
  if (buffer && written != bytes) {
    return fail(Code::internal, fmt::format("the engine wrote {} of {} bytes of KV: {}", written,
                                            bytes, last_complaint()));
  }
  return buffer;
}

Result<Buffer> LlamaEngineImplementation::export_state(SequenceId sequence, TokenRange range) {
  if (!info_.identity) return fail(Code::unsupported, "KV export is off: " + info_.kv_refusal);
  Buffer blob = TRY(raw_export(sequence, range));
  TRY(model::validate_state(info_.identity->state, range, blob.span()));
  TRY(model::canonicalise_state(info_.identity->state, blob.span()));
  return blob;
}

Result<> LlamaEngineImplementation::import_state(SequenceId sequence, TokenRange range,
                                                 ByteSpan blob) {
  check_sequence(sequence);
  if (!info_.identity) return fail(Code::unsupported, "KV import is off: " + info_.kv_refusal);
  TRY(model::validate_state(info_.identity->state, range, blob));
  // libllama would take duplicates and gaps without a word and answer wrongly ever after.
  const auto held = static_cast<std::int64_t>(llama_memory_seq_pos_max(memory(), sequence.value)) + 1;
  if (held != static_cast<std::int64_t>(range.begin)) {
    return fail(Code::invalid_argument, fmt::format("positions {} to {} do not continue a sequence "
                                                    "of {} tokens", range.begin, range.end, held));
  }
  const std::size_t taken = llama_state_seq_set_data(
      context_.get(), reinterpret_cast<const std::uint8_t*>(blob.data()), blob.size(), scratch());
  if (taken != blob.size()) {
    llama_memory_seq_rm(memory(), scratch(), -1, -1);
    return fail(Code::resource_exhausted,
                fmt::format("the engine refused {} bytes of KV for positions {} to {}: {}",
                            blob.size(), range.begin, range.end, last_complaint()));
  }
  llama_memory_seq_cp(memory(), scratch(), sequence.value, static_cast<llama_pos>(range.begin),
                      static_cast<llama_pos>(range.end));
  llama_memory_seq_rm(memory(), scratch(), -1, -1);
  return {};
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
  std::string piece(64, '\0');
  const auto fill = [&] {
    return llama_token_to_piece(vocab_, token, piece.data(), static_cast<int>(piece.size()),
                                /*lstrip=*/0, special);
  };
  int count = fill();
  if (count < 0) {
    piece.resize(static_cast<std::size_t>(-count));
    count = fill();
  }
  piece.resize(static_cast<std::size_t>(std::max(count, 0)));
  return piece;
}

}  // namespace

void load_backends() {
  static std::once_flag once;
  std::call_once(once, [] {
    llama_log_set(on_engine_log, nullptr);
    ggml_log_set(on_engine_log, nullptr);
    const std::string directory = HEARTH_ENGINE_BACKEND_DIR;
    if (directory.empty()) {
      ggml_backend_load_all();
    } else {
      ggml_backend_load_all_from_path(directory.c_str());
    }
    llama_backend_init();
  });
}

Result<std::unique_ptr<LlamaEngine>> load_llama_engine(const LlamaEngineOptions& options,
                                                       const LoadProgress& progress,
                                                       const StopToken& stop) {
  // The proof of the state decodes. OpenMP keeps a pool of threads for every thread that has done
  // so, as long as that one lives, and with two pools on the same cores it stops spinning at
  // barriers: decoding got half as fast. So the pool that loading makes ends with a thread of its own.
  Result<std::unique_ptr<LlamaEngine>> loaded = fail(Code::internal, "loading has not begun");
  Thread loader("engine_load", [&] { loaded = LlamaEngineImplementation::load(options, progress, stop); });
  loader.join();
  return loaded;
}

}  // namespace hearth::engine
