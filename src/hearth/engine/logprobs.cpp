#include "hearth/engine/logprobs.h"

#include <algorithm>
#include <cmath>

namespace hearth::engine {
namespace {

double log_sum_exp(std::span<const float> logits) {
  const float largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit} - largest);
  return largest + std::log(sum);
}

}  // namespace

void add_logprobs(TokenDone& done, const Engine& engine, std::span<const float> logits, int count) {
  done.piece = engine.token_text(done.token, /*special=*/true);
  const double normalizer = log_sum_exp(logits);
  const auto logprob = [&](Token token) {
    return double{logits[static_cast<std::size_t>(token)]} - normalizer;
  };
  done.logprob = logprob(done.token);
  std::vector<Token> order(logits.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Token>(i);
  const auto shown = std::min<std::size_t>(static_cast<std::size_t>(count), order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(shown), order.end(),
                    [&](Token a, Token b) { return logprob(a) > logprob(b); });
  for (std::size_t i = 0; i < shown; ++i) {
    done.top.push_back({order[i], logprob(order[i]), engine.token_text(order[i], /*special=*/true)});
  }
}

}  // namespace hearth::engine
