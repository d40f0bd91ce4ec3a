#pragma once
// The planner's question and answer. Pure: same question, same answer, byte for byte.
//
// Times in seconds, rates in tokens per second of one stream, sizes in bytes. Every prediction is
// an interval (median, and an 80 % range) with what it was calibrated from; what cannot be
// predicted is absent, never guessed. docs/plan.md explains families and output.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/plan/cluster.h"
#include "hearth/plan/cost/card.h"
#include "hearth/plan/memory.h"
#include "hearth/plan/rates.h"
#include "hearth/plan/workload.h"

namespace hearth::plan {

enum class Family : std::uint8_t {
  alone,         // one machine does everything
  pooled,        // one context over several machines
  split,         // one machine prefills, another decodes; both hold all weights
  gathered,      // layers spread over helpers prefill, their KV is gathered, one context decodes
  streamed,      // prefill reads weights it cannot hold from storage, once per very large ubatch
  low_bit_copy,  // prefill with a smaller quantisation of the same model
  split_pooled,  // prefill and decode each pooled over machines of their own
};
std::string_view family_name(Family family);
std::string_view family_title(Family family);
const std::vector<Family>& all_families();

struct Interval {
  double p50 = 0;
  double low = 0;
  double high = 0;
};

struct Placement {
  std::size_t node = 0;
  std::string role{};  // "prefill", "decode", "both"
  std::uint32_t first_layer = 0;
  std::uint32_t layers = 0;
  bool leads = false;
  std::string variant{};
  MemoryUse memory{};
};

struct NodeMemory {
  std::size_t node = 0;
  MemoryUse use{};
  std::uint64_t usable_bytes = 0;
};

struct Bottleneck {
  std::string prefill{};  // "prefill on spark-1: 62 % of the time to the first token"
  std::string decode{};
};

// The input this plan depends on most and knows least.
struct LeastCertain {
  std::size_t node = 0;
  bool prefill = true;
  double log_sd = 0;
  double share = 0;  // of a turn's time
};

struct CurvePoint {
  std::uint64_t context_tokens = 0;
  double cold_ttft_s = 0;  // the whole context prefilled at once
  double turn_ttft_s = 0;  // the workload's new tokens at that depth
  double prefill_tok_s = 0;
  double decode_tok_s = 0;
};

struct Plan {
  Family family = Family::alone;
  std::vector<Placement> placements{};
  KvType kv = KvType::f16;
  std::uint32_t ubatch = 512;
  std::optional<Interval> ttft_s{};
  std::optional<Interval> prefill_tok_s{};  // of the turn's new tokens, at its depth
  std::optional<Interval> decode_tok_s{};   // after the prompt, one of the workload's streams
  std::optional<Interval> turn_s{};         // to the last token
  std::uint64_t max_context = 0;            // per stream, with these placements
  std::uint32_t max_streams = 0;            // that fit at once at the workload's context, with these placements
  std::vector<NodeMemory> memory{};
  Bottleneck bottleneck{};
  std::optional<LeastCertain> least_certain{};
  std::vector<std::string> calibrated_from{};
  std::vector<std::string> assumptions{};  // what nobody has shown yet
  std::optional<double> break_even_tokens{};  // new tokens from which splitting pays
  std::optional<double> pipelined_prefill_tok_s{};  // bound if stages could overlap
  std::vector<CurvePoint> curve{};
  std::uint32_t machines() const;  // bits of nodes used
};

// A family (or one way of it) that cannot be, with the one number that rules it out.
struct Rejected {
  Family family = Family::alone;
  std::string reason{};
  double needed = 0, available = 0;
  std::string unit{};
  std::uint32_t machines = 0;  // bits of the nodes that lack it; 0: not about certain ones
};

struct Dominated {  // works, but is nowhere best
  Family family = Family::alone;
  std::string by{};
  double turn_s = 0;
};

struct SearchStats {
  std::size_t pools_filled = 0, plans_timed = 0;
};

struct Options {
  std::string kernels = "llama.cpp";  // of the engine that would run the plan
  std::vector<ModelCard> low_bit_copies{};  // smaller variants of the model
  bool with_curve = true;
  std::uint32_t must_use = 0;  // bits of nodes that every plan must give work, needed or not
  bool unified_only = false;  // one context only: no plan that prefills elsewhere
  std::optional<Family> only{};
  std::optional<KvType> kv_type{};  // plans with this one only
};

struct SearchResult {
  std::vector<Plan> plans{};  // best first; none dominated by another
  std::vector<Rejected> rejected{};
  std::vector<Dominated> dominated{};
  SearchStats stats{};
};

struct RateShift {
  std::size_t node = 0;
  bool prefill = true;
  double log_shift = 0;  // positive: slower
};

// `shift` is for sensitivity.
SearchResult search(const ClusterSpec& spec, const ModelCard& card, const Workload& workload,
                    const Calibrations& calibrations, const Options& options = {},
                    const std::optional<RateShift>& shift = std::nullopt);

// "studio 50 layers + laptop 11 layers"
std::string placement_text(const ClusterSpec& spec, const Plan& plan);

}  // namespace hearth::plan
