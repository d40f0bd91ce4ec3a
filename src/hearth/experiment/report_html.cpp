// The report as one page that loads nothing. Every number links to the row it comes from, which
// the page carries whole.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "hearth/experiment/report_parts.h"
#include "hearth/plan/output/plot.h"

namespace hearth::experiment {
namespace {

using plan::escaped;

constexpr std::string_view style = R"(
:root { color-scheme: light dark; --text: #1c1e21; --back: #fdfdfc; --soft: #5c6470; --line: #d9dce1;
  --good: #1a7f37; --bad: #b3261e; --s0: #1f6feb; --s1: #c2570c; --s2: #1a7f37; --s3: #8250df; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8eb; --back: #16181c; --soft: #9aa3af;
  --line: #363b43; --good: #56d364; --bad: #ff7b72; --s0: #79b8ff; --s1: #ffa657; --s2: #56d364; --s3: #d2a8ff; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1.5rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; } .wide { overflow-x: auto; }
th, td { text-align: left; padding: 0.3rem 0.7rem 0.3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; } td code { overflow-wrap: anywhere; }
a { color: inherit; text-decoration-color: var(--line); } .soft, figcaption, small { color: var(--soft); }
.right, .passed, .done { color: var(--good); } .wrong, .closed, .failed, .void { color: var(--bad); }
.question { font-size: 1.2rem; } .decision { font-size: 1.1rem; margin: 0.4rem 0; }
pre { overflow-x: auto; font-size: 0.8rem; background: color-mix(in srgb, var(--line) 30%, transparent); padding: 0.7rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; } svg { width: 100%; height: auto; } svg text { fill: var(--soft); font: 11px system-ui, sans-serif; } .grid { stroke: var(--line); }
polyline { fill: none; stroke-width: 2; } circle { fill: var(--back); stroke-width: 2; }
polyline.s0, circle.s0 { stroke: var(--s0); } polyline.s1, circle.s1 { stroke: var(--s1); } polyline.s2, circle.s2 { stroke: var(--s2); } polyline.s3, circle.s3 { stroke: var(--s3); }
.legend { list-style: none; padding: 0; margin: 0.3rem 0; font-size: 0.85rem; } .legend.row { display: flex; gap: 1.2rem; }
.legend span { display: inline-block; width: 1rem; height: 0.2rem; margin-right: 0.5rem; vertical-align: middle; } .legend.row span { height: 0.7rem; }
td.bar { width: 40%; min-width: 12rem; white-space: nowrap; } td.bar i { display: inline-block; height: 0.9rem; vertical-align: middle; }
span.s0, i.s0 { background: var(--s0); } span.s1, i.s1 { background: var(--s1); } span.s2, i.s2 { background: var(--s2); } span.s3 { background: var(--s3); }
:target { outline: 2px solid var(--s0); }
)";

std::string evidence_link(const std::string& step) {
  return fmt::format(R"(<a href="#{}">{}</a>)", evidence_anchor(step), escaped(step));
}

std::string list_of(const std::vector<std::string>& sentences) {
  std::string out = "<ul>";
  for (const std::string& sentence : sentences) out += "<li>" + escaped(sentence);
  return out + "</ul>";
}

std::string predictions(const Findings& findings) {
  if (findings.predictions.empty()) return "";
  std::string out = "<h2>Predictions</h2><p class=soft>Recorded, with a digest, before their phase began.</p>"
                    "<div class=wide><table><tr><th>prediction<th>outcome<th>what happened<th>recorded";
  for (const PredictionFinding& one : findings.predictions) {
    std::vector<std::string> links;
    for (const std::string& step : one.steps) links.push_back(evidence_link(step));
    const std::string_view name = outcome_name(one.outcome);
    out += fmt::format("<tr><td>{}<td class=\"{}\"><b>{}</b><td>{} <small>{}</small><td class=n><small>{}</small>", escaped(one.statement),
                       name, name, escaped(one.why), fmt::join(links, ", "),
                       one.recorded_at.empty() ? "not yet" : escaped(one.recorded_at));
  }
  return out + "</table></div>";
}

std::string gate(const PhaseFinding& one) {
  if (one.conditions.empty()) return "";
  std::string out = fmt::format("<p>Gate: <code>{}</code>", escaped(fmt::format("{}", fmt::join(one.conditions, "; "))));
  out += !one.gate_open ? " – not judged yet" : *one.gate_open ? " – <b class=passed>open</b>" : " – <b class=closed>closed</b>";
  for (const std::string& why : one.gate_why) out += "<br>" + escaped(why);
  if (!one.gate_why.empty() && !one.note.empty()) out += "<br>" + escaped(one.note);
  if (!one.opened_because.empty()) out += "<br>Opened by hand: " + escaped(one.opened_because);
  return out + "</p>";
}

std::string phase(const PhaseFinding& one) {
  std::string out = fmt::format("<h3>{} <small class=\"{}\">{}</small></h3><p>{}</p><div class=wide><table><tr><th>step<th>state<th class=n>seconds<th>command",
                                escaped(one.name), one.state, one.state, escaped(one.question));
  for (const StepFinding& step : one.steps) {
    out += fmt::format("<tr><td>{}<br><small>{}</small><td class=\"{}\">{}<br><small>{}</small><td class=n>{:.1f}<td><code>{}</code>",
                       step.attempt > 0 ? evidence_link(step.name) : escaped(step.name), escaped(step.what), step.state, step.state,
                       escaped(step.why), step.seconds, escaped(fmt::format("{}", fmt::join(step.line, " "))));
  }
  return out + "</table></div>" + gate(one);
}

std::string setting(const Findings& findings) {
  if (findings.setting.empty()) return "";
  std::string out = "<h2>Setting</h2><div class=wide><table>";
  for (const auto& [name, text] : findings.setting) out += fmt::format("<tr><td>{}<td>{}", escaped(name), escaped(text));
  return out + "</table></div>";
}

}  // namespace

std::string report_html(const Findings& findings, const FindResult& results) {
  std::string out = fmt::format(
      "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>{}</title><style>{}</style>"
      "<h1>{}</h1><p class=question>{}</p>", escaped(findings.name), style, escaped(findings.name), escaped(findings.question));
  if (!findings.began_at.empty()) {
    out += fmt::format("<p class=soft>{}{}</p>", escaped(findings.began_at), findings.ended_at.empty() ? "" : " to " + escaped(findings.ended_at));
  }
  out += "<h2>Decision</h2>";
  for (const std::string& sentence : findings.decision) out += "<p class=decision>" + escaped(sentence) + "</p>";
  out += comparisons_html(findings) + predictions(findings) + measurements_html(findings) + "<h2>Phases</h2>";
  for (const PhaseFinding& one : findings.phases) out += phase(one);
  out += "<h2>Not established</h2>";
  out += findings.not_established.empty() ? "<p>Everything that was asked has an answer.</p>" : list_of(findings.not_established);
  return out + setting(findings) + evidence_html(findings, results) + "</html>\n";
}

}  // namespace hearth::experiment
