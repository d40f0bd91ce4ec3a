#pragma once
// The Sampler over libllama's sampler chain. Private to the llama engine.

#include <memory>
#include <span>
#include <string>

#include "hearth/engine/engine.h"

struct llama_vocab;

namespace hearth::engine {

// A token's own bytes, which may be half a character; of control tokens only when `special`.
std::string token_piece(const llama_vocab* vocab, Token token, bool special);

// `vocab` outlives the sampler. invalid_argument for a grammar that does not compile.
Result<std::unique_ptr<Sampler>> make_llama_sampler(const llama_vocab* vocab,
                                                    const SamplingOptions& options,
                                                    std::span<const Token> prompt);

}  // namespace hearth::engine
