#pragma once
// Requests with their times and lengths, to be sent whether or not the ones before are answered.
//
// Rows are those of Mooncake's traces, one JSON object a line: {"timestamp": ms, "input_length": tokens,
// "output_length": tokens, "hash_ids": [..]}, each id a block of block_tokens tokens of the prompt; equal
// ids at equal places are equal text. agent_sessions makes rows of the same form. Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"

namespace hearth::bench {

inline constexpr std::uint32_t block_tokens_default = 512;
inline constexpr std::size_t trace_rows_max = 10'000'000;
inline constexpr std::uint32_t trace_tokens_max = 100'000'000;
inline constexpr std::size_t trace_blocks_max = 1'000'000;  // of a row

struct TraceRow {
  double at_ms = 0;
  std::uint32_t prompt_tokens = 0, answer_tokens = 0;
  std::vector<std::uint64_t> blocks;  // of the prompt, in order; may cover less than all of it
};

// invalid_argument with the line and what was expected. Times must not go back.
Result<std::vector<TraceRow>> parse_trace(std::string_view text, std::string_view name);

// The prompt of a row: `bytes_per_token` as the server counts. What no block covers is the row's own.
std::string row_text(const TraceRow& row, std::uint64_t row_number, std::uint32_t block_tokens, double bytes_per_token);

// Coding agents: a session begins with a long shared prefix, each turn adds what tools returned and
// answers; statistics of facts about 9.3 M calls (mean prompt 67.9 k tokens, 85.7 % of it known, 9.7 k
// new, 528 answered).
struct AgentOptions {
  std::uint32_t turns = 1'000;
  std::uint32_t sessions = 4;     // at the same time
  double scale = 1;               // of all lengths: 0.01 fits a small model
  double pause_s = 20;            // of the tools between turns, mean
  std::uint32_t context_tokens = 128'000;  // a session that would grow beyond it ends; times `scale`
  std::uint64_t seed = 1;
};
std::vector<TraceRow> agent_sessions(const AgentOptions& options, std::uint32_t block_tokens);

}  // namespace hearth::bench
