#include <cmath>

#include "hearth/plan/cost/formulas.h"
#include "hearth/plan/output/output.h"

namespace hearth::plan {
namespace {

// Rounded to six significant digits: more would pretend, and platforms' libraries differ beyond.
double rounded(double value) {
  if (value == 0 || !std::isfinite(value)) return 0;
  const double scale = std::pow(10.0, 5 - std::floor(std::log10(std::abs(value))));
  return std::round(value * scale) / scale;
}

Json number_or_null(const std::optional<double>& value) {
  return value ? Json(rounded(*value)) : Json(nullptr);
}
Json p50(const std::optional<Interval>& value) {
  return value ? Json(rounded(value->p50)) : Json(nullptr);
}
Json range(const std::optional<Interval>& value) {
  if (!value) return nullptr;
  return Json::object({{"low", rounded(value->low)}, {"high", rounded(value->high)}});
}
Json interval(const std::optional<Interval>& value) {
  if (!value) return nullptr;
  return Json::object(
      {{"p50", rounded(value->p50)}, {"low", rounded(value->low)}, {"high", rounded(value->high)}});
}
Json texts(const std::vector<std::string>& items) {
  Json out = Json::array();
  for (const std::string& item : items) out.push(item);
  return out;
}

Json placements_json(const ClusterSpec& spec, const Plan& plan) {
  Json out = Json::array();
  for (const Placement& p : plan.placements) {
    out.push(Json::object({{"machine", spec.nodes[p.node].name},
                           {"role", p.role},
                           {"first_layer", p.first_layer},
                           {"layers", p.layers},
                           {"leads", p.leads},
                           {"variant", p.variant},
                           {"weights_bytes", rounded(p.memory.weights_bytes)}}));
  }
  return out;
}

Json memory_json(const ClusterSpec& spec, const Plan& plan) {
  Json out = Json::array();
  for (const NodeMemory& m : plan.memory) {
    out.push(Json::object({{"machine", spec.nodes[m.node].name},
                           {"weights_bytes", rounded(m.use.weights_bytes)},
                           {"kv_bytes", rounded(m.use.kv_bytes)},
                           {"compute_bytes", rounded(m.use.compute_bytes)},
                           {"staging_bytes", rounded(m.use.staging_bytes)},
                           {"peak_bytes", rounded(m.use.total_bytes())},
                           {"usable_bytes", m.usable_bytes}}));
  }
  return out;
}

Json curve_json(const Plan& plan) {
  Json out = Json::array();
  for (const CurvePoint& point : plan.curve) {
    out.push(Json::object({{"context_tokens", point.context_tokens},
                           {"cold_ttft_s", rounded(point.cold_ttft_s)},
                           {"turn_ttft_s", rounded(point.turn_ttft_s)},
                           {"prefill_tok_s", rounded(point.prefill_tok_s)},
                           {"decode_tok_s", rounded(point.decode_tok_s)}}));
  }
  return out;
}

Json engines_json(const std::vector<EngineFit>& fits) {
  Json out = Json::array();
  for (const EngineFit& fit : fits) {
    out.push(Json::object({{"engine", fit.engine},
                           {"can_run", fit.can_run()},
                           {"blocked_by", texts(fit.blocked_by)},
                           {"caveats", texts(fit.caveats)},
                           {"version", fit.version},
                           {"as_of", fit.as_of},
                           {"source", fit.source}}));
  }
  return out;
}

Json plan_json(const ClusterSpec& spec, const Plan& plan, const std::vector<EngineFit>& fits) {
  return Json::object({{"family", family_name(plan.family)},
                       {"placements", placements_json(spec, plan)},
                       {"ttft_s", interval(plan.ttft_s)},
                       {"prefill_tok_s", p50(plan.prefill_tok_s)},
                       {"prefill_tok_s_range", range(plan.prefill_tok_s)},
                       {"decode_tok_s", p50(plan.decode_tok_s)},
                       {"decode_tok_s_range", range(plan.decode_tok_s)},
                       {"turn_s", interval(plan.turn_s)},
                       {"max_context", plan.max_context},
                       {"max_streams", plan.max_streams},
                       {"kv_type", kv_type_name(plan.kv)},
                       {"ubatch", plan.ubatch},
                       {"memory", memory_json(spec, plan)},
                       {"bottleneck", Json::object({{"prefill", plan.bottleneck.prefill},
                                                    {"decode", plan.bottleneck.decode}})},
                       {"calibrated_from", texts(plan.calibrated_from)},
                       {"assumptions", texts(plan.assumptions)},
                       {"break_even_tokens", number_or_null(plan.break_even_tokens)},
                       {"pipelined_prefill_tok_s", number_or_null(plan.pipelined_prefill_tok_s)},
                       {"curve", curve_json(plan)},
                       {"engines", engines_json(fits)}});
}

Json question_json(const Question& q) {
  Json machines = Json::array();
  for (const Node& node : q.cluster.nodes) {
    machines.push(Json::object({{"name", node.name},
                                {"hardware", node.hardware},
                                {"usable_bytes", node.usable_bytes},
                                {"usable_from", node.usable_from},
                                {"memory_bandwidth_gb_s", rounded(node.bandwidth_gb_s)},
                                {"storage_read_gb_s", number_or_null(node.storage_read_gb_s)}}));
  }
  Json links = Json::array();
  for (const Wire& wire : q.cluster.wires) {
    links.push(Json::object(
        {{"between", Json::array({q.cluster.nodes[wire.a].name, q.cluster.nodes[wire.b].name})},
         {"link", wire.key},
         {"gb_s", rounded(wire.gb_s)},
         {"assumed", wire.assumed_gb_s},
         {"latency_s", rounded(wire.latency_s)}}));
  }
  const Workload& w = q.workload;
  return Json::object(
      {{"cluster", q.cluster.name},
       {"machines", std::move(machines)},
       {"links", std::move(links)},
       {"model", Json::object({{"key", q.card.model},
                               {"name", q.card.name},
                               {"variant", q.card.variant},
                               {"bytes", total_bytes(q.card)},
                               {"layers", q.card.layers.size()},
                               {"note", q.card.note},
                               {"calculated_from", q.card.calculated_from}})},
       {"workload", Json::object({{"name", w.name},
                                  {"context_tokens", w.context_tokens},
                                  {"prompt_tokens", w.prompt_tokens},
                                  {"new_tokens", w.new_tokens()},
                                  {"output_tokens", w.output_tokens},
                                  {"streams", w.streams},
                                  {"ttft_s_max", number_or_null(w.bar.ttft_s_max)},
                                  {"decode_tok_s_min", number_or_null(w.bar.decode_tok_s_min)},
                                  {"why", w.why}})}});
}

Json marginal_json(const Answer& a) {
  Json out = Json::array();
  for (const Marginal& m : a.marginal) {
    Json one = Json::object();
    if (!m.without.empty()) one.set("without", m.without);
    if (!m.with.empty()) one.set("with", m.with);
    one.set("effect", m.effect);
    one.set("turn_s_before", number_or_null(m.turn_s_before));
    one.set("turn_s_after", number_or_null(m.turn_s_after));
    one.set("decode_tok_s_before", number_or_null(m.decode_tok_s_before));
    one.set("decode_tok_s_after", number_or_null(m.decode_tok_s_after));
    out.push(std::move(one));
  }
  return out;
}

}  // namespace

Json answer_json(const Answer& a) {
  const ClusterSpec& spec = a.question.cluster;
  Json plans = Json::array();
  for (std::size_t i = 0; i < a.result.plans.size(); ++i) {
    plans.push(plan_json(spec, a.result.plans[i], a.engines[i]));
  }
  Json rejected = Json::array();
  for (const Rejected& r : a.result.rejected) {
    rejected.push(Json::object({{"family", family_name(r.family)},
                                {"reason", r.reason},
                                {"needed", rounded(r.needed)},
                                {"available", rounded(r.available)},
                                {"unit", r.unit}}));
  }
  Json dominated = Json::array();
  for (const Dominated& d : a.result.dominated) {
    dominated.push(Json::object(
        {{"family", family_name(d.family)}, {"by", d.by}, {"turn_s", rounded(d.turn_s)}}));
  }
  Json effects = Json::array();
  for (const PoolEffect& e : a.pool_effects) {
    effects.push(Json::object({{"machine", spec.nodes[e.node].name},
                               {"decode_tok_s_with", number_or_null(e.decode_tok_s_with)},
                               {"decode_tok_s_without", number_or_null(e.decode_tok_s_without)},
                               {"verdict", e.verdict}}));
  }
  Json verdict = Json::object({{"go", a.verdict.go}, {"why", a.verdict.why}});
  verdict.set("plan", a.verdict.plan ? Json(*a.verdict.plan) : Json(nullptr));
  verdict.set("max_context",
              a.verdict.plan ? Json(a.result.plans[*a.verdict.plan].max_context) : Json(nullptr));
  return Json::object({{"question", question_json(a.question)},
                       {"plans", std::move(plans)},
                       {"rejected", std::move(rejected)},
                       {"dominated", std::move(dominated)},
                       {"verdict", std::move(verdict)},
                       {"marginal", marginal_json(a)},
                       {"unified_pool", Json::object({{"machines", std::move(effects)},
                                                      {"decode_tok_s_by_memory_share",
                                                       number_or_null(a.decode_tok_s_by_memory)}})},
                       {"sensitivity", a.sensitivity}});
}

Json answers_json(std::span<const Answer> answers) {
  if (answers.size() == 1) return answer_json(answers.front());
  Json out = Json::array();
  for (const Answer& a : answers) out.push(answer_json(a));
  return Json::object({{"answers", std::move(out)}});
}

}  // namespace hearth::plan
