#pragma once
// How far a candidate's next-token distribution lies from the reference's, position by position,
// without keeping a vocabulary for each: of the reference the 256 likeliest tokens and the
// probability of all others together (the tail).
//
//   KL = sum over the top P ln(P / Q) + P_tail ln(P_tail / Q_tail)
//
// is a lower bound of the whole divergence (log-sum inequality); the mean P_tail says what is left
// unresolved. Logarithms are natural (nats). Pure; a row of logits is read and not kept.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "hearth/base/result.h"

namespace hearth::eval {

inline constexpr std::size_t top_tokens = 256;

// What a reference run keeps of one position: 2,056 bytes. Single precision, because log-probabilities
// in 16 bits move the divergence of a single position by more than 1e-6.
struct TopDistribution {
  std::vector<std::uint32_t> ids;  // likeliest first; equal ones by id
  std::vector<float> log_probabilities;
  float tail = 0;                  // probability of all other tokens
  float target_log_probability = 0;  // of the token that came next
};

// One position of reference and candidate.
struct PositionDivergence {
  double kl = 0;
  double tail = 0;                // of the reference: the unresolved mass
  bool same_top = false;          // both would choose the same token
  bool reference_right = false;   // its likeliest token is the one that came next
  bool candidate_right = false;
  double target_change = 0;       // probability of the next token, candidate minus reference
  double log_likelihood_loss = 0;  // its log-probability, reference minus candidate
};

// Logits of the whole vocabulary; `target` is the token that came next. invalid_argument: fewer than
// two tokens, a target outside, or a logit that is no number (minus infinity is one).
Result<TopDistribution> keep_top(std::span<const float> logits, std::uint32_t target);
// corrupt, if the stored position cannot be of this vocabulary.
Result<PositionDivergence> diverge(const TopDistribution& reference, std::span<const float> logits,
                                   std::uint32_t target);

struct DivergenceSummary {
  std::size_t positions = 0;
  double mean = 0, mean_standard_error = 0;  // clusters are transcripts
  double median = 0, p95 = 0, p99 = 0, p999 = 0, max = 0;
  double same_top = 0;                 // share of positions
  std::size_t right_to_wrong = 0;      // flips: only the reference's likeliest token came next
  std::size_t wrong_to_right = 0;      // only the candidate's
  double target_change_rms = 0;
  double log_perplexity_ratio = 0;     // ln(PPL candidate / PPL reference)
  double tail = 0;                     // mean
};

// Each transcript's positions. invalid_argument without any position.
Result<DivergenceSummary> summarise(std::span<const std::vector<PositionDivergence>> transcripts);

// The value below which a share of the sorted values lies, linear between neighbours.
double percentile(std::span<const double> sorted, double share);

}  // namespace hearth::eval
