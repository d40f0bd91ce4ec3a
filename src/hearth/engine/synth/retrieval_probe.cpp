#include "hearth/engine/synth/retrieval_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "hearth/base/check.h"
#include "llama.h"

namespace hearth::engine {
namespace {

void log_errors_only(ggml_log_level level, const char* text, void*) {
  if (level == GGML_LOG_LEVEL_ERROR) fmt::print(stderr, "{}", text);
}

void start_engine_once() {
  static const bool started = [] {
    llama_log_set(log_errors_only, nullptr);
    ggml_backend_load_all_from_path(HEARTH_ENGINE_BACKEND_DIR);
    return true;
  }();
  CHECK(started);
}

}  // namespace

struct RetrievalProbe::State {
  llama_model* model = nullptr;
  llama_context* context = nullptr;
  const llama_vocab* vocabulary = nullptr;
  llama_pos position = 0;

  ~State() {
    if (context != nullptr) llama_free(context);
    if (model != nullptr) llama_model_free(model);
  }

  // Decodes tokens after `position`; logits of the last one, or of all.
  Result<> decode(std::vector<llama_token> tokens, bool all_logits) {
    const std::size_t batch_max = llama_n_batch(context);
    for (std::size_t first = 0; first < tokens.size(); first += batch_max) {
      const std::size_t count = std::min(batch_max, tokens.size() - first);
      llama_batch batch = llama_batch_init(static_cast<std::int32_t>(count), 0, 1);
      batch.n_tokens = static_cast<std::int32_t>(count);
      for (std::size_t i = 0; i < count; ++i) {
        batch.token[i] = tokens[first + i];
        batch.pos[i] = position++;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = (all_logits || first + i + 1 == tokens.size()) ? 1 : 0;
      }
      const int status = llama_decode(context, batch);
      llama_batch_free(batch);
      if (status != 0) return fail(Code::internal, fmt::format("decode gave {}", status));
    }
    return {};
  }

  void forget_from(llama_pos first) {
    llama_memory_seq_rm(llama_get_memory(context), 0, first, -1);
    position = first;
  }

  std::span<const float> logits(std::int32_t index) const {
    const float* values = llama_get_logits_ith(context, index);
    CHECK(values != nullptr);
    return {values, static_cast<std::size_t>(llama_vocab_n_tokens(vocabulary))};
  }
};

RetrievalProbe::RetrievalProbe(std::unique_ptr<State> state) : state_(std::move(state)) {}
RetrievalProbe::RetrievalProbe(RetrievalProbe&&) noexcept = default;
RetrievalProbe::~RetrievalProbe() = default;

Result<RetrievalProbe> RetrievalProbe::open(const std::filesystem::path& model,
                                            const ProbeOptions& options) {
  start_engine_once();
  auto state = std::make_unique<State>();
  llama_model_params weights = llama_model_default_params();
  weights.use_extra_bufts = false;  // with AMX, libllama 0.7 ends the process on models with MLA
  state->model = llama_model_load_from_file(model.c_str(), weights);
  if (state->model == nullptr) {
    return fail(Code::corrupt, fmt::format("{} does not load", model.string()));
  }
  state->vocabulary = llama_model_get_vocab(state->model);
  llama_context_params parameters = llama_context_default_params();
  parameters.n_ctx = options.context_tokens;
  parameters.n_batch = 1024;
  parameters.n_ubatch = 512;
  parameters.n_seq_max = 2;
  parameters.kv_unified = true;
  parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  parameters.type_k = options.q8_0_cache ? GGML_TYPE_Q8_0 : GGML_TYPE_F16;
  parameters.type_v = parameters.type_k;
  parameters.n_threads = options.threads;
  parameters.n_threads_batch = options.threads;
  state->context = llama_init_from_model(state->model, parameters);
  if (state->context == nullptr) return fail(Code::internal, "no context");
  return RetrievalProbe(std::move(state));
}

std::vector<std::int32_t> RetrievalProbe::tokenize(const std::string& text,
                                                   bool with_markup) const {
  // Bytes that are no UTF-8 become U+FFFD, of three bytes.
  std::vector<std::int32_t> tokens(3 * text.size() + 8);
  const int count = llama_tokenize(state_->vocabulary, text.data(),
                                   static_cast<std::int32_t>(text.size()), tokens.data(),
                                   static_cast<std::int32_t>(tokens.size()), false, with_markup);
  CHECK(count >= 0);
  tokens.resize(static_cast<std::size_t>(count));
  return tokens;
}

std::string RetrievalProbe::detokenize(const std::vector<std::int32_t>& tokens) const {
  std::string text;
  std::array<char, 256> piece{};
  for (const std::int32_t token : tokens) {
    const int length = llama_token_to_piece(state_->vocabulary, token, piece.data(),
                                            static_cast<std::int32_t>(piece.size()), 0, true);
    CHECK(length >= 0);
    text.append(piece.data(), static_cast<std::size_t>(length));
  }
  return text;
}

std::string RetrievalProbe::metadata(const std::string& key) const {
  std::array<char, 8192> value{};
  const int length =
      llama_model_meta_val_str(state_->model, key.c_str(), value.data(), value.size());
  return length < 0 ? "" : std::string(value.data());
}

std::uint64_t RetrievalProbe::parameter_count() const {
  return llama_model_n_params(state_->model);
}

Result<> RetrievalProbe::read(const std::string& text, bool with_markup) {
  state_->forget_from(0);
  return state_->decode(tokenize(text, with_markup), false);
}

Result<std::string> RetrievalProbe::ask(const std::string& question, std::size_t tokens_max) {
  const llama_pos start = state_->position;
  TRY(state_->decode(tokenize(question, true), false));
  std::vector<std::int32_t> answer;
  while (answer.size() < tokens_max) {
    const std::span<const float> logits = state_->logits(-1);
    const auto best = std::max_element(logits.begin(), logits.end());
    answer.push_back(static_cast<std::int32_t>(best - logits.begin()));
    if (llama_vocab_is_eog(state_->vocabulary, answer.back())) break;
    TRY(state_->decode({answer.back()}, false));
  }
  state_->forget_from(start);
  return detokenize(answer);
}

Result<double> RetrievalProbe::surprise(const std::string& question,
                                        const std::string& answer) {
  const llama_pos start = state_->position;
  const std::vector<std::int32_t> tokens = tokenize(question + answer, true);
  const std::size_t first = tokenize(question, true).size() - 1;
  CHECK(first + 1 < tokens.size() && tokens.size() <= llama_n_batch(state_->context));
  TRY(state_->decode(tokens, true));
  double sum = 0;
  for (std::size_t i = first; i + 1 < tokens.size(); ++i) {
    const std::span<const float> logits = state_->logits(static_cast<std::int32_t>(i));
    const float best = *std::max_element(logits.begin(), logits.end());
    double total = 0;
    for (const float logit : logits) total += std::exp(static_cast<double>(logit - best));
    sum += std::log(total) + best - logits[static_cast<std::size_t>(tokens[i + 1])];
  }
  state_->forget_from(start);
  return sum / static_cast<double>(tokens.size() - 1 - first);
}

Result<std::size_t> count_found(RetrievalProbe& probe, const PlantedText& planted) {
  TRY(probe.read(planted.text, false));
  std::size_t found = 0;
  for (const Fact& fact : planted.facts) {
    const std::string answer = TRY(probe.ask(fact.question, fact.answer.size()));
    if (answer == fact.answer) ++found;
  }
  return found;
}

}  // namespace hearth::engine
