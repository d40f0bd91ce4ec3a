#include "hearth/engine/llama_sampler.h"

#include <fmt/format.h>
#include <llama.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <string>
#include <vector>

#include "hearth/base/utf8.h"

namespace hearth::engine {
namespace {

struct SamplerDeleter {
  void operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }
};
using SamplerPointer = std::unique_ptr<llama_sampler, SamplerDeleter>;

// Enough for every token of a vocabulary that a model might want in place of the bare trigger.
constexpr std::size_t refused_max = 64;

Token most_likely(std::span<const float> logits) {
  return static_cast<Token>(std::ranges::max_element(logits) - logits.begin());
}

// Nothing but the largest logit counts: no candidate list is built.
class GreedySampler final : public Sampler {
 public:
  Result<Token> sample(std::span<const float> logits) override { return most_likely(logits); }
};

class ChainSampler final : public Sampler {
 public:
  // `waits`: for a trigger the grammar holds to nothing.
  ChainSampler(const llama_vocab* vocab, SamplerPointer chain, SamplerPointer grammar, bool waits)
      : vocab_(vocab), chain_(std::move(chain)), grammar_(std::move(grammar)), waits_(waits) {}

  // Samples freely first and asks the grammar about that one token; only a refusal pays for
  // filtering the whole vocabulary. libllama's grammars count code points but do not insist on
  // UTF-8 (overlong forms and surrogates pass), so with a grammar the bytes are walked as well:
  // what is not text would be replaced later, and then fit the schema no more.
  Result<Token> sample(std::span<const float> logits) override {
    try {
      refused_.clear();
      while (refused_.size() <= refused_max) {
        Token token = choose(logits, /*filtered=*/false);
        if (grammar_ && !allowed(token)) {
          token = choose(logits, /*filtered=*/true);
          if (token < 0) return fail(Code::invalid_argument, "the grammar admits no token here");
        }
        if (grammar_ && !take(token)) {
          refused_.push_back(token);
          continue;
        }
        llama_sampler_accept(chain_.get(), token);
        return token;
      }
      return fail(Code::invalid_argument,
                  fmt::format("the grammar refuses {} tokens in turn that hold its trigger", refused_.size()));
    } catch (const std::exception& error) {
      return fail(Code::internal, fmt::format("the engine's sampler failed: {}", error.what()));
    }
  }

 private:
  // False: the token holds the trigger and more, and the grammar refuses that ("{\n" where a call begins with
  // {"name": that is one token for Llama 3). Until the trigger nothing is asked of the grammar, so libllama finds
  // out by throwing, with a grammar that is good for nothing any more: it begins anew and is led to where it was.
  bool take(Token token) {
    if (waits_ && !triggers_well(token)) return false;
    if (!waits_) llama_sampler_accept(grammar_.get(), token);
    text_.take(token_piece(vocab_, token, /*special=*/true));
    return true;
  }
  bool triggers_well(Token token) {
    try {
      llama_sampler_accept(grammar_.get(), token);
      taken_.push_back(token);
      return true;
    } catch (const std::exception&) {
      llama_sampler_reset(grammar_.get());
      for (const Token earlier : taken_) llama_sampler_accept(grammar_.get(), earlier);
      return false;
    }
  }

  bool allowed(Token token) {
    llama_token_data one{token, 1.0F, 0.0F};
    llama_token_data_array array{&one, 1, -1, false};
    llama_sampler_apply(grammar_.get(), &array);
    return std::isfinite(one.logit) && text_.admits(token_piece(vocab_, token, /*special=*/true));
  }

  Token choose(std::span<const float> logits, bool filtered) {
    candidates_.resize(logits.size());
    for (std::size_t i = 0; i < logits.size(); ++i) {
      candidates_[i] = {static_cast<Token>(i), logits[i], 0.0F};
    }
    if (!refused_.empty()) {
      std::erase_if(candidates_, [&](const llama_token_data& c) { return std::ranges::count(refused_, c.id) > 0; });
    }
    llama_token_data_array array{candidates_.data(), candidates_.size(), -1, false};
    if (filtered) {
      llama_sampler_apply(grammar_.get(), &array);
      const auto rest = std::ranges::remove_if(candidates_, [&](const llama_token_data& c) {
        return !std::isfinite(c.logit) || !text_.admits(token_piece(vocab_, c.id, /*special=*/true));
      });
      array.size = static_cast<std::size_t>(rest.begin() - candidates_.begin());
      if (array.size == 0) return -1;
    }
    llama_sampler_apply(chain_.get(), &array);
    return array.selected >= 0 ? array.data[array.selected].id : -1;
  }

  const llama_vocab* const vocab_;
  SamplerPointer chain_;
  SamplerPointer grammar_;
  const bool waits_;
  Utf8Walk text_;               // with a grammar
  std::vector<Token> taken_;    // with a grammar that waits
  std::vector<Token> refused_;  // in this step
  std::vector<llama_token_data> candidates_;
};

bool waits_for_trigger(const SamplingOptions& options) {
  return !options.grammar_trigger_tokens.empty() || !options.grammar_trigger_patterns.empty();
}

Result<SamplerPointer> make_grammar(const llama_vocab* vocab, const SamplingOptions& options) {
  if (options.grammar.empty()) return SamplerPointer();
  llama_sampler* grammar = nullptr;
  if (!waits_for_trigger(options)) {
    grammar = llama_sampler_init_grammar(vocab, options.grammar.c_str(), "root");
  } else {
    std::vector<const char*> patterns;
    for (const std::string& pattern : options.grammar_trigger_patterns) {
      patterns.push_back(pattern.c_str());
    }
    grammar = llama_sampler_init_grammar_lazy_patterns(
        vocab, options.grammar.c_str(), "root", patterns.data(), patterns.size(),
        options.grammar_trigger_tokens.data(), options.grammar_trigger_tokens.size());
  }
  if (grammar == nullptr) {
    return fail(Code::invalid_argument, "grammar: not valid GBNF with a rule named root");
  }
  return SamplerPointer(grammar);
}

Result<> check_tokens(const llama_vocab* vocab, const SamplingOptions& options) {
  const int vocabulary = llama_vocab_n_tokens(vocab);
  for (const auto& [token, bias] : options.logit_bias) {
    if (token < 0 || token >= vocabulary) {
      return fail(Code::invalid_argument, fmt::format("logit_bias: token {} is outside the "
                                                      "vocabulary of {}", token, vocabulary));
    }
  }
  for (const Token token : options.grammar_trigger_tokens) {
    if (token < 0 || token >= vocabulary) {
      return fail(Code::invalid_argument, fmt::format("grammar_trigger_tokens: token {} is outside "
                                                      "the vocabulary of {}", token, vocabulary));
    }
  }
  return {};
}

bool has_penalties(const SamplingOptions& options) {
  return options.penalty_last_n > 0 &&
         (options.repeat_penalty != 1 || options.frequency_penalty != 0 ||
          options.presence_penalty != 0);
}

void add_filters(llama_sampler* chain, const llama_vocab* vocab, const SamplingOptions& options,
                 std::span<const Token> prompt) {
  const int vocabulary = llama_vocab_n_tokens(vocab);
  if (!options.logit_bias.empty()) {
    std::vector<llama_logit_bias> biases;
    for (const auto& [token, bias] : options.logit_bias) {
      biases.push_back({token, static_cast<float>(bias)});
    }
    llama_sampler_chain_add(chain, llama_sampler_init_logit_bias(
                                       vocabulary, static_cast<int>(biases.size()), biases.data()));
  }
  if (has_penalties(options)) {
    llama_sampler* penalties = llama_sampler_init_penalties(
        vocabulary, options.penalty_last_n, static_cast<float>(options.repeat_penalty),
        static_cast<float>(options.frequency_penalty), static_cast<float>(options.presence_penalty));
    const auto window = std::min<std::size_t>(prompt.size(), static_cast<std::size_t>(options.penalty_last_n));
    for (const Token token : prompt.last(window)) llama_sampler_accept(penalties, token);
    llama_sampler_chain_add(chain, penalties);
  }
  if (options.is_greedy()) return;
  constexpr std::size_t keep_at_least = 1;
  if (options.top_k > 0) llama_sampler_chain_add(chain, llama_sampler_init_top_k(options.top_k));
  if (options.top_p < 1) {
    llama_sampler_chain_add(chain, llama_sampler_init_top_p(static_cast<float>(options.top_p), keep_at_least));
  }
  if (options.min_p > 0) {
    llama_sampler_chain_add(chain, llama_sampler_init_min_p(static_cast<float>(options.min_p), keep_at_least));
  }
  llama_sampler_chain_add(chain, llama_sampler_init_temp(static_cast<float>(options.temperature)));
}

}  // namespace

std::string token_piece(const llama_vocab* vocab, Token token, bool special) {
  std::string piece(64, '\0');
  const auto fill = [&] {
    return llama_token_to_piece(vocab, token, piece.data(), static_cast<int>(piece.size()),
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

Result<std::unique_ptr<Sampler>> make_llama_sampler(const llama_vocab* vocab,
                                                    const SamplingOptions& options,
                                                    std::span<const Token> prompt) {
  TRY(check_tokens(vocab, options));
  if (options.is_greedy() && options.grammar.empty() && options.logit_bias.empty() &&
      !has_penalties(options)) {
    return std::make_unique<GreedySampler>();
  }
  try {
    SamplerPointer grammar = TRY(make_grammar(vocab, options));
    SamplerPointer chain(llama_sampler_chain_init(llama_sampler_chain_default_params()));
    add_filters(chain.get(), vocab, options, prompt);
    llama_sampler_chain_add(chain.get(), options.is_greedy() ? llama_sampler_init_greedy()
                                                             : llama_sampler_init_dist(options.seed));
    return std::make_unique<ChainSampler>(vocab, std::move(chain), std::move(grammar), waits_for_trigger(options));
  } catch (const std::exception& error) {
    return fail(Code::invalid_argument, fmt::format("sampling options: {}", error.what()));
  }
}

}  // namespace hearth::engine
