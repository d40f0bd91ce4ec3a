#pragma once
// How the next token is chosen. A plain value; what each field means follows the usual
// definitions (temperature; top-k; nucleus, Holtzman et al. 2020; min-p, Nguyen et al. 2024).

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/model/token.h"

namespace hearth::engine {

inline constexpr std::size_t stop_strings_max = 16;
inline constexpr std::size_t stop_string_bytes_max = 1024;
inline constexpr std::size_t grammar_bytes_max = 4 << 20;
inline constexpr std::size_t logit_biases_max = 4096;
inline constexpr int logprobs_max = 32;

struct SamplingOptions {
  double temperature = 0;  // 0 = greedy: the most likely token, lowest id on a tie
  int top_k = 0;           // 0 = off
  double top_p = 1;        // 1 = off
  double min_p = 0;        // 0 = off
  double repeat_penalty = 1;     // 1 = off; over the last penalty_last_n tokens, prompt included
  double frequency_penalty = 0;  // 0 = off
  double presence_penalty = 0;   // 0 = off
  int penalty_last_n = 64;
  std::uint32_t seed = 0;
  std::vector<std::pair<Token, double>> logit_bias;
  std::string grammar;  // GBNF with a rule named root; empty = none
  // The grammar takes effect only once one of these appears (a tool call opens); empty = at once.
  std::vector<Token> grammar_trigger_tokens;
  std::vector<std::string> grammar_trigger_patterns;

  bool is_greedy() const { return temperature <= 0; }
  bool operator==(const SamplingOptions&) const = default;
};

// Ranges are checked: invalid_argument names the field, the value and what is allowed.
Result<SamplingOptions> read_sampling(const Json& object, std::string_view path);
Json sampling_json(const SamplingOptions& options);

}  // namespace hearth::engine
