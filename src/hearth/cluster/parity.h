#pragma once
// Whether KV that another machine computed means the same here: the logits of the token after a
// fixed prompt and the greedy continuation, once from its KV and once from ours.
//
// Pure. KL divergence is in nats, of theirs from ours, over the whole vocabulary in double precision.

#include <cstdint>
#include <span>
#include <string>

#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/model/token.h"

namespace hearth::cluster {

struct Parity {
  bool is_exact = false;  // every logit equal to the last bit
  bool top_equal = false;
  double kl = 0;
  double distance_max = 0;  // of any logit
  std::uint32_t tokens_equal = 0, tokens_compared = 0;  // of a greedy continuation, up to the first that differs
};

struct ParityLimits {
  double kl_max = 0.01;
  bool needs_exact = false;  // equal backends of one build: all tokens too
  bool needs_equal_top = true;  // not of another quantisation: its allowed divergence says how far it may be
  // Of those compared. Rounding turns a near tie now and then, and what follows is another text: not all of them.
  std::uint32_t tokens_equal_min = 4;
};

struct JudgedParity {
  Parity parity;
  std::string fault;  // parity_fault's
};

// invalid_argument when the two are not of one length, empty, or not finite.
Result<Parity> compare_logits(std::span<const float> ours, std::span<const float> theirs);
// The greedy continuations, from their first token on.
void compare_tokens(std::span<const Token> ours, std::span<const Token> theirs, Parity& into);
// Why they are not equal enough; empty: they are.
std::string parity_fault(const Parity& parity, const ParityLimits& limits);
Json parity_json(const Parity& parity);

}  // namespace hearth::cluster
