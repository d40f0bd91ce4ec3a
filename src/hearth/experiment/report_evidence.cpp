// The part of the page that carries the results: what every number links to.
#include <fmt/format.h>

#include "hearth/experiment/report_parts.h"
#include "hearth/plan/output/plot.h"

namespace hearth::experiment {
namespace {

using plan::escaped;

constexpr std::size_t shown_bytes_max = 1u << 20;  // of a step; its file has the rest

std::string shown(const Json& json, std::size_t& left) {
  std::string text = dump_json(json, 1);
  if (text.size() > left) text = text.substr(0, left) + "\n… the file has the rest";
  left -= std::min(left, text.size());
  return escaped(text);
}

// What stands around the rows, then each of them.
std::string result_html(const std::string& step, const Json& result) {
  std::size_t left = shown_bytes_max;
  const Json* rows = result.find("rows");
  if (rows == nullptr || !rows->is_array()) return "<pre>" + shown(result, left) + "</pre>";
  Json rest = result;
  rest.set("rows", fmt::format("{} rows, below", rows->as_array().size()));
  std::string out = "<pre>" + shown(rest, left) + "</pre>";
  for (std::size_t i = 0; i < rows->as_array().size(); ++i) {
    out += fmt::format("<pre id=\"{}\">{}</pre>", row_anchor(step, i), shown(rows->as_array()[i], left));
  }
  return out;
}

}  // namespace

std::string evidence_anchor(const std::string& step) { return "evidence-" + escaped(step); }
std::string row_anchor(const std::string& step, std::size_t row) { return fmt::format("row-{}-{}", escaped(step), row); }

std::string evidence_html(const Findings& findings, const FindResult& results) {
  std::string out = "<h2>Evidence</h2><p class=soft>The whole result of each step; its digest is in the ledger, the file beside this page.</p>";
  for (const PhaseFinding& phase : findings.phases) {
    for (const StepFinding& step : phase.steps) {
      const Json* result = step.attempt == 0 ? nullptr : results(step.name);
      if (result == nullptr) continue;
      const std::string file = fmt::format("evidence/{}/{}/output.json", step.name, step.attempt);
      out += fmt::format("<details id=\"{}\"><summary>{}: attempt {}, {}, <code>{}</code> <a href=\"{}\">{}</a></summary>{}</details>",
                         evidence_anchor(step.name), escaped(step.name), step.attempt, escaped(step.ended_at), step.output_digest.substr(0, 16),
                         escaped(file), escaped(file), result_html(step.name, *result));
    }
  }
  // A link into evidence opens it.
  return out + "<script>const open=()=>{const e=document.getElementById(location.hash.slice(1)),d=e&&e.closest('details');"
               "if(d){d.open=true;e.scrollIntoView()}};addEventListener('hashchange',open);open()</script>";
}

}  // namespace hearth::experiment
