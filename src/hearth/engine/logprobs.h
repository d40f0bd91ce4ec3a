#pragma once
// How likely a chosen token and its alternatives were.

#include <span>

#include "hearth/engine/engine.h"
#include "hearth/engine/job.h"

namespace hearth::engine {

// Fills piece, logprob and top (the `count` likeliest tokens, best first) of `done`, whose token
// was chosen from `logits`.
void add_logprobs(TokenDone& done, const Engine& engine, std::span<const float> logits, int count);

}  // namespace hearth::engine
