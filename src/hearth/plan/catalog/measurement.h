#pragma once
// Engines, and what somebody measured with them. Plain values.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/plan/catalog/machine.h"

namespace hearth::plan {

struct EngineEntry {
  std::string key{};
  std::string name{};
  std::string version{};
  std::string as_of{};    // month of the newest material read
  std::string kernels{};  // engines with one kernel family compute alike
  std::vector<std::string> backends{};
  std::vector<std::string> formats{};
  std::vector<std::string> families{};
  std::vector<std::string> transports{};
  std::vector<std::string> known_blockers{};
  bool spans_backends = false;
  std::string split_state{};
  Origin origin{};
};

struct Measurement {
  std::string id{};
  std::string hardware{};  // "a+b": unlike machines together
  std::uint32_t nodes = 1;
  std::string link{};
  std::string model{};
  std::string quant{};
  std::string engine{};
  std::string engine_generation{};
  std::string method{};
  std::string parallelism{};
  bool prefill_is_chunk = false;  // else the average from `depth` on
  std::optional<std::uint64_t> prompt_tokens{};
  std::uint64_t depth = 0;
  std::uint64_t gen_tokens = 0;
  std::optional<std::uint32_t> ubatch{};
  std::uint32_t concurrency = 1;
  std::optional<double> prefill_tok_s{};
  std::optional<double> decode_tok_s{};
  std::optional<std::uint64_t> weights_bytes{};
  std::vector<std::string> flags{};
  std::string date{};
  std::string note{};
  Origin origin{};
  bool has_flag(std::string_view flag) const;
};

// A piece of work that `hearth node probe` timed on one machine, with one model. Unlike a
// Measurement it needs no description of the model: it speaks only for files of the same shape.
struct OwnRun {
  std::string id{};
  std::string hardware{};      // of the machine's entry
  std::string architecture{};  // as the planner's card of the file has it
  std::string phase{};         // "prefill" or "decode"
  std::uint64_t weights_bytes = 0;  // of the file's tensors
  std::uint64_t depth = 0;          // tokens already there
  std::uint64_t tokens = 0;         // prefilled at once, or decoded one by one
  std::uint32_t ubatch = 512;
  bool lent = false;   // every layer behind RPC, as others use the machine: whole passes are in the time
  double seconds = 0;  // for all tokens; median of the repetitions
  double spread = 0;   // largest distance from it, as a share
  std::string date{};
  Origin origin{};
};

}  // namespace hearth::plan
