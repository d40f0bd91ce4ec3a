#include <fmt/format.h>

#include <algorithm>

#include "hearth/plan/output/findings.h"
#include "hearth/plan/output/layout.h"
#include "hearth/plan/output/output.h"
#include "hearth/plan/output/plot.h"

namespace hearth::plan {
namespace {

constexpr std::size_t lines_per_plot_max = 4;

constexpr std::string_view style = R"(
:root { color-scheme: light dark; --text: #1c1e21; --back: #fdfdfc; --soft: #5c6470; --line: #d9dce1;
  --good: #1a7f37; --bad: #b3261e; --s0: #1f6feb; --s1: #c2570c; --s2: #1a7f37; --s3: #8250df; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8eb; --back: #16181c; --soft: #9aa3af;
  --line: #363b43; --good: #56d364; --bad: #ff7b72; --s0: #79b8ff; --s1: #ffa657; --s2: #56d364; --s3: #d2a8ff; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back);
  max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1.5rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.93rem; }
.wide { overflow-x: auto; }
th, td { text-align: left; padding: 0.3rem 0.7rem 0.3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.short { white-space: nowrap; }
.soft, figcaption, small { color: var(--soft); } .go { color: var(--good); } .no { color: var(--bad); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; } svg { width: 100%; height: auto; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; } .grid { stroke: var(--line); }
polyline { fill: none; stroke-width: 2; }
polyline.s0, circle.s0 { stroke: var(--s0); } polyline.s1, circle.s1 { stroke: var(--s1); }
polyline.s2, circle.s2 { stroke: var(--s2); } polyline.s3, circle.s3 { stroke: var(--s3); }
circle { fill: var(--back); stroke-width: 2; }
.legend { list-style: none; padding: 0; margin: 0.3rem 0; font-size: 0.85rem; }
.legend span { display: inline-block; width: 1rem; height: 0.2rem; margin-right: 0.5rem; vertical-align: middle; }
span.s0 { background: var(--s0); } span.s1 { background: var(--s1); } span.s2 { background: var(--s2); } span.s3 { background: var(--s3); }
)";

std::string plan_label(const Answer& a, std::size_t i) {
  return fmt::format("{}. {}: {}", i + 1, family_name(a.result.plans[i].family),
                     placement_text(a.question.cluster, a.result.plans[i]));
}

// The plan of the verdict, the best on paper and the simplest; then the next best.
std::vector<std::size_t> plotted(const Answer& a) {
  std::vector<std::size_t> out;
  const auto add = [&](std::size_t i) {
    if (out.size() < lines_per_plot_max && std::ranges::find(out, i) == out.end()) out.push_back(i);
  };
  if (a.verdict.plan) add(*a.verdict.plan);
  if (!a.result.plans.empty()) add(0);
  for (std::size_t i = 0; i < a.result.plans.size(); ++i) {
    if (a.result.plans[i].family == Family::alone) add(i);
  }
  for (std::size_t i = 0; i < a.result.plans.size(); ++i) add(i);
  std::ranges::sort(out);
  return out;
}

std::string plots(const Answer& a) {
  std::vector<Series> cold, turn, decode, prefill;
  for (const std::size_t i : plotted(a)) {
    const Plan& plan = a.result.plans[i];
    if (plan.curve.empty()) continue;
    const std::string name = plan_label(a, i);
    for (std::vector<Series>* s : {&cold, &turn, &decode, &prefill}) s->push_back({name, {}});
    for (const CurvePoint& p : plan.curve) {
      const double x = static_cast<double>(p.context_tokens);
      cold.back().points.emplace_back(x, p.cold_ttft_s);
      turn.back().points.emplace_back(x, p.turn_ttft_s);
      decode.back().points.emplace_back(x, p.decode_tok_s);
      prefill.back().points.emplace_back(x, p.prefill_tok_s);
    }
  }
  return "<div class=\"plots\">\n" +
         plot_svg("Seconds to the first token, nothing cached", "s", cold) +
         plot_svg("Seconds to the first token of a turn at that depth", "s", turn) +
         plot_svg("Decoding, tokens per second", "tok/s", decode) +
         plot_svg("Prefill of a turn, tokens per second", "tok/s", prefill) + "</div>\n" +
         plot_legend(cold);
}

std::string range_cell(const std::optional<Interval>& interval, bool seconds) {
  if (!interval) return "<td>unknown</td>";
  const auto text = [&](double v) { return seconds ? seconds_text(v) : rate_text(v); };
  return fmt::format("<td>{}<br><small>{} to {}</small></td>", text(interval->p50),
                     text(interval->low), text(interval->high));
}

std::string plans_table(const Answer& a) {
  std::string out =
      "<div class=\"wide\"><table><tr><th></th><th>plan</th><th>first token</th><th>prefill "
      "tok/s</th>"
      "<th>decode tok/s</th><th>turn</th><th>context</th><th>runs on</th></tr>\n";
  for (std::size_t i = 0; i < a.result.plans.size(); ++i) {
    const Plan& plan = a.result.plans[i];
    std::string runs;
    for (const EngineFit& fit_of : a.engines[i]) {
      if (fit_of.can_run()) runs += (runs.empty() ? "" : ", ") + fit_of.engine;
    }
    out += fmt::format("<tr><td>{}</td><td><b>{}</b><br><small>{}; KV {}, ubatch {}</small></td>",
                       i + 1, family_name(plan.family),
                       escaped(placement_text(a.question.cluster, plan)), kv_type_name(plan.kv),
                       plan.ubatch);
    out += range_cell(plan.ttft_s, true) + range_cell(plan.prefill_tok_s, false) +
           range_cell(plan.decode_tok_s, false) + range_cell(plan.turn_s, true);
    out += fmt::format("<td>{}<br><small>{} at once</small></td><td>{}</td></tr>\n", tokens_text(plan.max_context),
                       plan.max_streams, runs.empty() ? "nothing yet" : escaped(runs));
  }
  return out + "</table></div>\n";
}

std::string list(std::string_view title, const std::vector<std::string>& items) {
  if (items.empty()) return "";
  std::string out = fmt::format("<h3>{}</h3>\n<ul>\n", escaped(title));
  for (const std::string& item : items) out += "<li>" + escaped(item) + "</li>\n";
  return out + "</ul>\n";
}

std::string gigabytes(double bytes) { return fmt::format("{:.1f}", bytes / 1e9); }

// The plan that the verdict is about: what it takes, what holds it up, what runs it.
std::string detail(const Answer& a) {
  const std::size_t index = a.verdict.plan.value_or(0);
  const Plan& plan = a.result.plans[index];
  std::string out = fmt::format(
      "<h3>Plan {} in detail</h3>\n<div class=\"wide\"><table><tr><th>memory in GB</th>"
      "<th>weights</th><th>KV</th><th>buffers</th><th>of usable</th></tr>\n", index + 1);
  for (const NodeMemory& m : plan.memory) {
    out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                       escaped(a.question.cluster.nodes[m.node].name),
                       gigabytes(m.use.weights_bytes), gigabytes(m.use.kv_bytes),
                       gigabytes(m.use.compute_bytes + m.use.staging_bytes),
                       gigabytes(static_cast<double>(m.usable_bytes)));
  }
  out += "</table></div>\n";
  std::vector<std::string> items = {"Until the first token, " + plan.bottleneck.prefill,
                                    "Writing, " + plan.bottleneck.decode};
  if (plan.break_even_tokens) {
    items.push_back(fmt::format("Pays from {:.0f} new tokens on", *plan.break_even_tokens));
  }
  for (const std::string& assumption : plan.assumptions) items.push_back("Assumes: " + assumption);
  std::string from;
  for (const std::string& id : plan.calibrated_from) from += (from.empty() ? "" : ", ") + id;
  items.push_back("Calibrated from: " + from);
  for (const EngineFit& fit_of : a.engines[index]) {
    std::string why = fit_of.can_run() ? "could run it" : "";
    for (const std::string& blocked : fit_of.blocked_by) why += (why.empty() ? "" : "; ") + blocked;
    items.push_back(fmt::format("{} ({}): {}", fit_of.engine, fit_of.as_of, why));
  }
  out += "<ul>\n";
  for (const std::string& item : items) out += "<li>" + escaped(item) + "</li>\n";
  return out + "</ul>\n";
}

std::string section(const Answer& a, std::size_t number) {
  const Workload& w = a.question.workload;
  std::string out = fmt::format("<h2 id=\"answer-{}\">{} {} · {}</h2>\n", number,
                                escaped(a.question.card.name),
                                escaped(a.question.card.variant), escaped(w.name));
  out += fmt::format(
      "<p class=\"soft\">{}: prompt {} tokens, {} of them new, {} written, {} stream{}. {} of "
      "weights. {}</p>\n",
      escaped(w.title), w.prompt_tokens, w.new_tokens(), w.output_tokens, w.streams,
      w.streams == 1 ? "" : "s", gb_text(static_cast<double>(total_bytes(a.question.card))),
      escaped(a.question.card.note));
  out += fmt::format("<p><b class=\"{}\">{}</b>: {}.</p>\n", a.verdict.go ? "go" : "no",
                     a.verdict.go ? "Go" : "No go", escaped(a.verdict.why));
  if (!a.result.plans.empty()) out += plans_table(a) + plots(a) + detail(a);
  std::vector<std::string> items;
  for (const Rejected& r : a.result.rejected) {
    items.push_back(fmt::format("{}: {}", family_name(r.family), r.reason));
  }
  out += list("Impossible here, with the number that rules it out", items);
  items.clear();
  for (const Dominated& d : a.result.dominated) {
    items.push_back(fmt::format("{}: works ({} a turn), but {} is better", family_name(d.family),
                                seconds_text(d.turn_s), d.by));
  }
  out += list("Possible, but nowhere best", items);
  items.clear();
  for (const PoolEffect& e : a.pool_effects) {
    items.push_back(fmt::format("{} {} (with {}, without {} tok/s)",
                                a.question.cluster.nodes[e.node].name, e.verdict,
                                e.decode_tok_s_with ? precise_rate_text(*e.decode_tok_s_with) : "–",
                                e.decode_tok_s_without ? precise_rate_text(*e.decode_tok_s_without) : "–"));
  }
  out += list("One model over several machines: what each does to decoding", items);
  items.clear();
  for (const Marginal& m : a.marginal) {
    items.push_back(fmt::format(
        "{}: {}", m.without.empty() ? "with " + m.with : "without " + m.without, m.effect));
  }
  out += list("What each part is worth", items);
  if (!a.sensitivity.empty()) out += "<p>" + escaped(a.sensitivity) + "</p>\n";
  return out;
}

// The answers side by side, and what they have in common.
std::string summary(std::span<const Answer> answers) {
  if (answers.size() < 2) return "";
  std::string out =
      "<h2>In short</h2>\n<div class=\"wide\"><table><tr><th>model</th><th>work</th><th></th>"
      "<th>first token</th><th>decode tok/s</th><th>best plan that an engine can run</th></tr>\n";
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Answer& a = answers[i];
    const Plan* plan = a.verdict.plan ? &a.result.plans[*a.verdict.plan] : nullptr;
    out += fmt::format(
        "<tr><td class=\"short\"><a href=\"#answer-{}\">{}</a></td><td>{}</td><td class=\"short "
        "{}\">{}</td><td class=\"short\">{}</td>"
        "<td>{}</td><td>{}</td></tr>\n",
        i, escaped(a.question.card.variant), escaped(a.question.workload.name), a.verdict.go ? "go" : "no",
        a.verdict.go ? "go" : "no go", plan ? seconds_text(plan->ttft_s->p50) : "–",
        plan ? rate_text(plan->decode_tok_s->p50) : "–",
        plan ? escaped(fmt::format("{}: {}", family_name(plan->family),
                                   placement_text(a.question.cluster, *plan)))
             : "–");
  }
  out += "</table></div>\n<ul>\n";
  for (const std::string& finding : findings(answers)) out += "<li>" + escaped(finding) + "</li>\n";
  return out + "</ul>\n";
}

}  // namespace

std::string answers_html(std::span<const Answer> answers) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<title>Hearth plan</title><style>" +
      std::string(style) + "</style></head><body>\n<h1>Hearth plan</h1>\n";
  if (!answers.empty()) {
    out +=
        "<div class=\"wide\"><table><tr><th>machine</th><th>hardware</th><th>usable "
        "memory</th><th>bandwidth</th><th>storage</th></tr>\n";
    for (const Node& node : answers.front().question.cluster.nodes) {
      out += fmt::format(
          "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.0f} GB/s</td><td>{}</td></tr>\n",
          escaped(node.name), escaped(node.hardware.empty() ? "by numbers" : node.hardware),
          gb_text(static_cast<double>(node.usable_bytes)), node.bandwidth_gb_s,
          node.storage_read_gb_s ? fmt::format("{:.1f} GB/s", *node.storage_read_gb_s)
                                 : "not known");
    }
    out +=
        "</table></div>\n<p class=\"soft\">Every number is a prediction: the median, and below it "
        "the range that holds in four of five cases. "
        "<code>hearth plan --accuracy</code> shows how wrong such predictions have been. "
        "“a 49 + b 12” are 49 of the model's layers on machine a and 12 on b.</p>\n<ul "
        "class=\"soft\">\n";
    for (const Family family : all_families()) {
      out += fmt::format("<li><b>{}</b>: {}</li>\n", family_name(family), family_title(family));
    }
    out += "</ul>\n";
  }
  out += summary(answers);
  for (std::size_t i = 0; i < answers.size(); ++i) out += section(answers[i], i);
  return out + "</body></html>\n";
}

}  // namespace hearth::plan
