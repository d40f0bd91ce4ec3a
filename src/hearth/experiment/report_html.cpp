// The report as one page that loads nothing. Every number links to the row it comes from, which
// the page carries whole.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "hearth/experiment/findings.h"
#include "hearth/plan/output/plot.h"

namespace hearth::experiment {
namespace {

using plan::escaped;

constexpr std::size_t series_max = 4;  // the page's style has so many colours

constexpr std::string_view style = R"(
:root { color-scheme: light dark; --text: #1c1e21; --back: #fdfdfc; --soft: #5c6470; --line: #d9dce1;
  --good: #1a7f37; --bad: #b3261e; --s0: #1f6feb; --s1: #c2570c; --s2: #1a7f37; --s3: #8250df; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8eb; --back: #16181c; --soft: #9aa3af;
  --line: #363b43; --good: #56d364; --bad: #ff7b72; --s0: #79b8ff; --s1: #ffa657; --s2: #56d364; --s3: #d2a8ff; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1.5rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.93rem; } .wide { overflow-x: auto; }
th, td { text-align: left; padding: 0.3rem 0.7rem 0.3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
a { color: inherit; } .soft, figcaption, small { color: var(--soft); } .right, .passed { color: var(--good); } .wrong, .closed, .failed, .void { color: var(--bad); }
.decision { font-size: 1.15rem; } pre { overflow-x: auto; font-size: 0.8rem; background: color-mix(in srgb, var(--line) 30%, transparent); padding: 0.7rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1rem; }
figure { margin: 0; } svg { width: 100%; height: auto; } svg text { fill: var(--soft); font: 11px system-ui, sans-serif; } .grid { stroke: var(--line); }
polyline { fill: none; stroke-width: 2; } circle { fill: var(--back); stroke-width: 2; }
polyline.s0, circle.s0 { stroke: var(--s0); } polyline.s1, circle.s1 { stroke: var(--s1); } polyline.s2, circle.s2 { stroke: var(--s2); } polyline.s3, circle.s3 { stroke: var(--s3); }
.legend { list-style: none; padding: 0; margin: 0.3rem 0; font-size: 0.85rem; }
.legend span { display: inline-block; width: 1rem; height: 0.2rem; margin-right: 0.5rem; vertical-align: middle; }
span.s0 { background: var(--s0); } span.s1 { background: var(--s1); } span.s2 { background: var(--s2); } span.s3 { background: var(--s3); }
:target { outline: 2px solid var(--s0); }
)";

std::string number(const std::optional<double>& value, const std::string& step, int digits = 4) {
  if (!value) return "–";
  return fmt::format(R"(<a href="#evidence-{}">{:.{}g}</a>)", escaped(step), *value, digits);
}

std::string evidence_link(const std::string& step) {
  return fmt::format(R"(<a href="#evidence-{0}">{0}</a>)", escaped(step));
}

std::string predictions(const Findings& findings) {
  if (findings.predictions.empty()) return "";
  std::string out = "<h2>Predictions</h2><p class=soft>Recorded, with a digest, before their phase began.</p>"
                    "<table><tr><th>prediction<th>outcome<th>what happened<th>recorded";
  for (const PredictionFinding& one : findings.predictions) {
    std::vector<std::string> links;
    for (const std::string& step : one.steps) links.push_back(evidence_link(step));
    const std::string_view name = outcome_name(one.outcome);
    out += fmt::format("<tr><td>{}<td class=\"{}\"><b>{}</b><td>{} <small>{}</small><td><small>{}</small>", escaped(one.statement),
                       name, name, escaped(one.why), fmt::join(links, ", "),
                       one.recorded_at.empty() ? "not yet" : escaped(one.recorded_at));
  }
  return out + "</table>";
}

// Prompt length against a rate, a line for each target of each step.
std::string plot(const Findings& findings, std::string_view title, std::string_view unit,
                 std::optional<double> MeasuredRow::* value) {
  std::vector<plan::Series> series;
  for (const MeasuredRow& row : findings.rows) {
    if (!(row.*value) || row.prompt_tokens + row.depth <= 0) continue;
    const std::string name = row.target + " (" + row.step + ")";
    auto found = std::ranges::find(series, name, &plan::Series::name);
    if (found == series.end()) {
      if (series.size() == series_max) continue;
      series.push_back({.name = name, .points = {}});
      found = std::prev(series.end());
    }
    found->points.emplace_back(row.prompt_tokens + row.depth, *(row.*value));
  }
  for (plan::Series& one : series) std::ranges::sort(one.points);
  const std::string svg = plan::plot_svg(title, unit, series);
  return svg.empty() ? "" : svg + plan::plot_legend(series);
}

std::string measurements(const Findings& findings) {
  if (findings.rows.empty()) return "";
  std::string out = "<h2>Measurements</h2><div class=plots>";
  out += "<div>" + plot(findings, "Prefill against context", "tok/s", &MeasuredRow::prefill_tok_s) + "</div>";
  out += "<div>" + plot(findings, "Decode against context", "tok/s", &MeasuredRow::decode_tok_s) + "</div></div>";
  out += "<div class=wide><table><tr><th>step<th>target<th class=n>prompt<th class=n>depth<th class=n>first token, ms<th class=n>predicted, ms"
         "<th class=n>prefill, tok/s<th class=n>decode, tok/s";
  for (const MeasuredRow& row : findings.rows) {
    out += fmt::format("<tr><td>{}<td>{}<td class=n>{:.0f}<td class=n>{:.0f}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}",
                       evidence_link(row.step), escaped(row.target), row.prompt_tokens, row.depth, number(row.ttft_ms, row.step),
                       number(row.predicted_ttft_ms, row.step), number(row.prefill_tok_s, row.step), number(row.decode_tok_s, row.step));
  }
  out += "</table></div>";
  if (findings.comparisons.empty()) return out;
  out += "<h3>Against the first target</h3><p class=soft>First token: below 1 is faster. Decode: above 1 is faster.</p>"
         "<table><tr><th>target<th>against<th class=n>prompt<th class=n>depth<th class=n>first token ×<th class=n>decode ×";
  for (const Comparison& one : findings.comparisons) {
    out += fmt::format("<tr><td>{} ({})<td>{}<td class=n>{:.0f}<td class=n>{:.0f}<td class=n>{}<td class=n>{}", escaped(one.target),
                       evidence_link(one.step), escaped(one.baseline), one.prompt_tokens, one.depth,
                       number(one.ttft_ratio, one.step, 3), number(one.decode_ratio, one.step, 3));
  }
  return out + "</table>";
}

std::string phase(const PhaseFinding& one) {
  std::string out = fmt::format("<h3>{} <small class=\"{}\">{}</small></h3><p>{}</p><table><tr><th>step<th>state<th class=n>seconds<th>command",
                                escaped(one.name), one.state, one.state, escaped(one.question));
  for (const StepFinding& step : one.steps) {
    out += fmt::format("<tr><td>{}<br><small>{}</small><td class=\"{}\">{}<br><small>{}</small><td class=n>{:.1f}<td><code>{}</code>",
                       step.attempt > 0 ? evidence_link(step.name) : escaped(step.name), escaped(step.what), step.state, step.state,
                       escaped(step.why), step.seconds, escaped(fmt::format("{}", fmt::join(step.line, " "))));
  }
  out += "</table>";
  if (!one.conditions.empty()) {
    out += fmt::format("<p>Gate: <code>{}</code>", escaped(fmt::format("{}", fmt::join(one.conditions, "; "))));
    out += !one.gate_open ? " – not judged yet" : *one.gate_open ? " – <b class=passed>open</b>" : " – <b class=closed>closed</b>";
    for (const std::string& why : one.gate_why) out += "<br>" + escaped(why);
    if (!one.gate_why.empty() && !one.note.empty()) out += "<br>" + escaped(one.note);
    if (!one.opened_because.empty()) out += "<br>Opened by hand: " + escaped(one.opened_because);
    out += "</p>";
  }
  return out;
}

std::string evidence(const Findings& findings, const ResultText& result) {
  std::string out = "<h2>Evidence</h2><p class=soft>The whole result of each step; its digest is in the ledger.</p>";
  for (const PhaseFinding& phase : findings.phases) {
    for (const StepFinding& step : phase.steps) {
      if (step.attempt == 0) continue;
      out += fmt::format("<details id=\"evidence-{}\"><summary>{}: attempt {}, {}, <code>{}</code></summary><pre>{}</pre></details>",
                         escaped(step.name), escaped(step.name), step.attempt, escaped(step.ended_at), step.output_digest.substr(0, 16),
                         escaped(result(step.name)));
    }
  }
  // A link to evidence opens it.
  return out + "<script>const open=()=>{const e=document.getElementById(location.hash.slice(1));if(e&&e.tagName==='DETAILS')e.open=true};"
               "addEventListener('hashchange',open);open()</script>";
}

}  // namespace

std::string report_html(const Findings& findings, const ResultText& result) {
  std::string out = fmt::format(
      "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>{}</title><style>{}</style>"
      "<h1>{}</h1><p>{}</p><h2>Decision</h2>", escaped(findings.name), style, escaped(findings.name), escaped(findings.question));
  for (const std::string& sentence : findings.decision) out += "<p class=decision>" + escaped(sentence) + "</p>";
  out += predictions(findings) + measurements(findings) + "<h2>Phases</h2>";
  for (const PhaseFinding& one : findings.phases) out += phase(one);
  out += "<h2>Not established</h2>";
  if (findings.not_established.empty()) out += "<p>Everything that was asked has an answer.</p>";
  else out += "<ul>";
  for (const std::string& sentence : findings.not_established) out += "<li>" + escaped(sentence);
  if (!findings.not_established.empty()) out += "</ul>";
  return out + evidence(findings, result) + "</html>\n";
}

}  // namespace hearth::experiment
