#pragma once
// Everything a search looks at, resolved once: machines, one model in one quantisation, rates,
// work. A const Scene answers how long parts of a pass take on parts of the cluster. Internal to
// plan/.

#include <memory>
#include <optional>
#include <vector>

#include "hearth/plan/memory.h"
#include "hearth/plan/rates.h"
#include "hearth/plan/workload.h"

namespace hearth::plan {

// Layers [first, first + count) of the model on one machine.
struct Stage {
  std::size_t node = 0;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  bool leads = false;  // runs the engine; the others serve it over RPC
};

// The machines of one engine context, the leading one first.
using Pool = std::vector<Stage>;

struct TimePart {
  std::string name{};  // "prefill on studio", "hops", "wire …"
  double seconds = 0;
  double log_sd = 0;
  std::optional<std::size_t> node{};
};

// A duration as the sum of parts. The parts' errors are taken as fully correlated, so intervals
// add.
struct Duration {
  std::vector<TimePart> parts{};
  std::vector<std::string> calibrated_from{};
  double seconds() const;
  double log_sd() const;
  void add(TimePart part);
  void add(const Duration& other);
};

class Scene {
 public:
  // `spec` and `card` must outlive it. Rates are calibrated at the workload's share of attention.
  Scene(const ClusterSpec& spec, const ModelCard& card, const Workload& workload,
        const Calibrations& calibrations, std::string_view kernels);

  const ClusterSpec& spec() const { return spec_; }
  const ModelCard& card() const { return card_; }
  const Workload& workload() const { return workload_; }
  std::string_view kernels() const { return kernels_; }
  AttentionForm form() const;
  std::uint32_t layers() const { return static_cast<std::uint32_t>(card_.layers.size()); }
  const NodeRates& rates(std::size_t node) const { return rates_[node]; }
  // Shifts one rate by `log_shift`, for sensitivity.
  void shift_rate(std::size_t node, Phase phase, double log_shift);

  double layer_bytes(std::uint32_t first, std::uint32_t count) const;
  MemoryUse memory(const Stage& stage, const ContextShape& shape) const;

  // Seconds per layer of a typical turn's prefill and decode on this machine: what to fill first.
  double layer_cost_s(std::size_t node, bool prefill, bool decode) const;

  // Nothing when a rate of a machine is unknown.
  std::optional<Duration> prefill(const Pool& pool, double depth, double new_tokens,
                                  std::uint32_t ubatch) const;
  std::optional<Duration> decode_step(const Pool& pool, KvType kv, double context,
                                      double streams) const;
  // The same with all stages busy on different passes at once: what pipelining could reach at best.
  std::optional<double> pipelined_prefill_tok_s(const Pool& pool, double depth, double new_tokens,
                                                std::uint32_t ubatch) const;

 private:
  double touched(std::uint32_t first, std::uint32_t count, double tokens) const;
  std::optional<TimePart> stage_prefill(const Stage& stage, double depth, double new_tokens,
                                        double pass) const;
  std::optional<TimePart> stage_decode(const Stage& stage, KvType kv, double context,
                                       double streams) const;
  double pass_s(const Stage& stage, const Wire& wire, Phase phase) const;
  TimePart hops(const Pool& pool, Phase phase, double tokens_per_pass, double passes) const;

  const ClusterSpec& spec_;
  const ModelCard& card_;
  Workload workload_;
  std::string kernels_;
  std::vector<NodeRates> rates_;
  std::vector<double> routed_before_;  // bytes of layers 0 … i-1
  std::vector<double> other_before_;
};

}  // namespace hearth::plan
