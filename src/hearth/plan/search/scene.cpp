#include "hearth/plan/search/scene.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hearth/base/check.h"

namespace hearth::plan {
namespace {

constexpr double bytes_per_gb = 1e9;
// Fixed cost of handing a pass to an RPC server and back, over the wire's latency: 0.8 to 2.6 ms
// were measured on loopback TCP, nearly nothing over RDMA between two Sparks.
constexpr double rpc_pass_s = 1.0e-3;
constexpr double hop_log_sd = 0.6;

}  // namespace

double Duration::seconds() const {
  double sum = 0;
  for (const TimePart& part : parts) sum += part.seconds;
  return sum;
}

double Duration::log_sd() const {
  const double total = seconds();
  if (total <= 0) return 0;
  double sum = 0;
  for (const TimePart& part : parts) sum += part.seconds * part.log_sd;
  return sum / total;
}

void Duration::add(TimePart part) {
  if (part.seconds > 0) parts.push_back(std::move(part));
}

void Duration::add(const Duration& other) {
  parts.insert(parts.end(), other.parts.begin(), other.parts.end());
  for (const std::string& id : other.calibrated_from) {
    if (std::ranges::find(calibrated_from, id) == calibrated_from.end())
      calibrated_from.push_back(id);
  }
}

Scene::Scene(const ClusterSpec& spec, const ModelCard& card, const Workload& workload,
             const Calibrations& calibrations, std::string_view kernels)
    : spec_(spec), card_(card), workload_(workload), kernels_(kernels) {
  const double new_tokens = static_cast<double>(workload.new_tokens());
  const double depth = static_cast<double>(workload.cached_tokens());
  const double attention = attention_flop(card, form(), depth, new_tokens, new_tokens);
  const double linear = linear_flop(card, new_tokens);
  const double share = linear > 0 ? attention / (attention + linear) : 0;
  for (const Node& node : spec.nodes) {
    rates_.push_back(rates_of(node, card, calibrations, kernels, share));
  }
  routed_before_.push_back(0);
  other_before_.push_back(0);
  for (const LayerWeights& layer : card.layers) {
    routed_before_.push_back(routed_before_.back() + static_cast<double>(layer.routed_bytes));
    other_before_.push_back(other_before_.back() + static_cast<double>(layer.other_bytes));
  }
}

AttentionForm Scene::form() const { return prefill_form(kernels_); }

void Scene::shift_rate(std::size_t node, Phase phase, double log_shift) {
  std::optional<Rate>& rate = phase == Phase::prefill ? rates_[node].prefill : rates_[node].decode;
  if (rate) rate->shift(log_shift);
}

double Scene::layer_bytes(std::uint32_t first, std::uint32_t count) const {
  CHECK(first + count <= layers());
  return routed_before_[first + count] - routed_before_[first] + other_before_[first + count] -
         other_before_[first];
}

double Scene::touched(std::uint32_t first, std::uint32_t count, double tokens) const {
  double share = 1;
  if (card_.mixture()) {
    share = expected_experts(card_.experts, card_.experts_per_token, tokens) / card_.experts;
  }
  return (routed_before_[first + count] - routed_before_[first]) * share +
         other_before_[first + count] - other_before_[first];
}

MemoryUse Scene::memory(const Stage& stage, const ContextShape& shape) const {
  ContextShape own = shape;
  own.leads = stage.leads;
  return memory_use(card_, std::span(card_.layers).subspan(stage.first, stage.count), own);
}

std::optional<TimePart> Scene::stage_prefill(const Stage& stage, double depth, double new_tokens,
                                             double pass) const {
  const NodeRates& rates = rates_[stage.node];
  if (!rates.prefill) return std::nullopt;
  const Node& node = spec_.nodes[stage.node];
  const double share = static_cast<double>(stage.count) / layers();
  const double passes = std::ceil(new_tokens / pass);
  PrefillParts parts;
  parts.linear_s = linear_flop(card_, new_tokens) * share / prior_flop_s;
  parts.attention_s = attention_flop(card_, form(), depth, new_tokens, pass) * share / prior_flop_s;
  parts.weights_s = passes * touched(stage.first, stage.count, pass) /
                    (prior_bandwidth_efficiency * node.bandwidth_gb_s * bytes_per_gb);
  parts.overhead_s = passes * rates.overhead_per_layer_s * stage.count;
  // The learned factor is about arithmetic; reading weights is bounded by the memory itself.
  const double factor = std::exp(rates.prefill->log_factors.base);
  const double seconds = std::max(parts.linear_s * factor, parts.weights_s) +
                         parts.attention_s * std::exp(rates.prefill->log_factors.context) +
                         parts.overhead_s * factor;
  return TimePart{.name = "prefill on " + node.name,
                  .seconds = seconds,
                  .log_sd = rates.prefill->log_sd,
                  .node = stage.node};
}

std::optional<TimePart> Scene::stage_decode(const Stage& stage, KvType kv, double context,
                                            double streams) const {
  const NodeRates& rates = rates_[stage.node];
  if (!rates.decode) return std::nullopt;
  const Node& node = spec_.nodes[stage.node];
  const double share = static_cast<double>(stage.count) / layers();
  const double bytes_s = prior_bandwidth_efficiency * node.bandwidth_gb_s * bytes_per_gb;
  const bool absorbed = card_.attention_flop_absorbed > 0;
  DecodeParts parts;
  parts.weights_s = (touched(stage.first, stage.count, streams) +
                     (stage.leads ? static_cast<double>(card_.head_bytes) : 0)) /
                    bytes_s;
  parts.kv_s = streams * kv_bytes(card_, kv, context) * share / bytes_s;
  parts.attention_s = streams * context * share *
                      (absorbed ? card_.attention_flop_absorbed : card_.attention_flop) /
                      prior_flop_s;
  parts.layers_s = rates.overhead_per_layer_s * stage.count;
  const LogFactors factors = rates.decode->at(context);
  return TimePart{.name = "decode on " + node.name,
                  .seconds = parts.base_s() * std::exp(factors.base) +
                             parts.context_s() * std::exp(factors.context),
                  .log_sd = rates.decode->log_sd,
                  .node = stage.node};
}

// What a pass over RPC costs beyond its wire, and is not in the rate of the machine at its other end yet: a rate measured
// over RPC holds a whole one for all layers, so the stage's time has its layers' share of it.
double Scene::pass_s(const Stage& stage, const Wire& wire, Phase phase) const {
  const NodeRates& rates = rates_[stage.node];
  const std::optional<Rate>& rate = phase == Phase::prefill ? rates.prefill : rates.decode;
  const bool partly_known = rate && rate->holds_pool_passes;
  const double owed = partly_known ? 1 - static_cast<double>(stage.count) / layers() : 1;
  return owed * wire.pool_pass_s.value_or(rpc_pass_s);
}

// The leading machine talks to every other: activations go out and come back through it.
TimePart Scene::hops(const Pool& pool, Phase phase, double tokens_per_pass, double passes) const {
  TimePart part{.name = "hops", .seconds = 0, .log_sd = hop_log_sd, .node = std::nullopt};
  for (const Stage& stage : pool) {
    if (stage.leads) continue;
    const Wire* wire = spec_.between(pool.front().node, stage.node);
    CHECK(wire != nullptr);
    part.seconds +=
        passes * (pass_s(stage, *wire, phase) + 2 * wire->latency_s +
                  2 * activation_bytes(card_, tokens_per_pass) / (wire->gb_s * bytes_per_gb));
  }
  return part;
}

double Scene::layer_cost_s(std::size_t node, bool prefill, bool decode) const {
  const Stage stage{.node = node, .first = layers() - 1, .count = 1};
  const double new_tokens = static_cast<double>(workload_.new_tokens());
  const double depth = static_cast<double>(workload_.cached_tokens());
  double cost = 0;
  if (prefill) {
    const auto part = stage_prefill(stage, depth, new_tokens, std::min(new_tokens, 2048.0));
    if (part) cost += part->seconds;
  }
  if (decode) {
    const auto part = stage_decode(stage, KvType::f16, static_cast<double>(workload_.prompt_tokens),
                                   workload_.streams);
    if (part) cost += part->seconds * static_cast<double>(workload_.output_tokens);
  }
  return cost > 0 ? cost : 1 / spec_.nodes[node].bandwidth_gb_s;
}

std::optional<Duration> Scene::prefill(const Pool& pool, double depth, double new_tokens,
                                       std::uint32_t ubatch) const {
  const double pass = std::max(1.0, std::min<double>(ubatch, new_tokens));
  Duration out;
  for (const Stage& stage : pool) {
    const std::optional<TimePart> part = stage_prefill(stage, depth, new_tokens, pass);
    if (!part) return std::nullopt;
    Duration one{.parts = {*part}, .calibrated_from = rates_[stage.node].prefill->calibrated_from};
    if (stage.count > 0) out.add(one);
  }
  out.add(hops(pool, Phase::prefill, pass, std::ceil(new_tokens / pass)));
  return out;
}

std::optional<Duration> Scene::decode_step(const Pool& pool, KvType kv, double context,
                                           double streams) const {
  Duration out;
  for (const Stage& stage : pool) {
    const std::optional<TimePart> part = stage_decode(stage, kv, context, streams);
    if (!part) return std::nullopt;
    out.add(
        Duration{.parts = {*part}, .calibrated_from = rates_[stage.node].decode->calibrated_from});
  }
  out.add(hops(pool, Phase::decode, streams, 1));
  return out;
}

std::optional<double> Scene::pipelined_prefill_tok_s(const Pool& pool, double depth,
                                                     double new_tokens,
                                                     std::uint32_t ubatch) const {
  const double pass = std::max(1.0, std::min<double>(ubatch, new_tokens));
  double slowest = 0;
  for (const Stage& stage : pool) {
    const std::optional<TimePart> part = stage_prefill(stage, depth, new_tokens, pass);
    if (!part) return std::nullopt;
    slowest = std::max(slowest, part->seconds);
  }
  return slowest > 0 ? std::optional(new_tokens / slowest) : std::nullopt;
}

}  // namespace hearth::plan
