#pragma once
// A kind of work: how long prompts are, how much of them is already there, how much is written,
// how many streams at once, and the bar it must clear. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"

namespace hearth::plan {

inline constexpr std::uint32_t streams_max = 1024;

struct Bar {
  std::optional<double> ttft_s_max{};
  std::optional<double> decode_tok_s_min{};
};

struct Workload {
  std::string name{};
  std::string title{};
  std::uint64_t context_tokens = 0;  // must fit in memory, per stream
  std::uint64_t prompt_tokens = 0;   // of a typical turn
  double cached_share = 0;           // of the prompt, present since the turn before
  std::uint64_t output_tokens = 0;
  std::uint32_t streams = 1;
  Bar bar{};
  std::string why{};  // where the numbers come from
  std::uint64_t new_tokens() const;
  std::uint64_t cached_tokens() const { return prompt_tokens - new_tokens(); }
};

// reflective, writing, agentic, batch.
const std::vector<Workload>& standard_workloads();
// not_found names the ones there are.
Result<Workload> find_workload(std::string_view name);
// "prompt=20000,new=500,output=800,streams=2,context=64000,ttft=10,decode=12"; every key but prompt
// and output has a default; cached=0.8 may stand for new.
Result<Workload> parse_workload(std::string_view text);
// Zero, absurd or contradictory numbers, named.
Result<> check_workload(const Workload& workload);

}  // namespace hearth::plan
