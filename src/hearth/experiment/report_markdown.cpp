// The report as Markdown: for a repository, a letter, a blog.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "hearth/experiment/findings.h"

namespace hearth::experiment {
namespace {

std::string shown(const std::optional<double>& value, int digits = 4) {
  return value ? fmt::format("{:.{}g}", *value, digits) : "–";
}
std::string cell(std::string text) {
  std::string out;
  for (const char c : text) out += c == '|' ? "\\|" : c == '\n' ? " " : std::string(1, c);
  return out;
}

std::string predictions_text(const Findings& findings) {
  if (findings.predictions.empty()) return "";
  std::string out = "## Predictions\n\nRecorded before their phase began.\n\n| prediction | outcome | what happened |\n|---|---|---|\n";
  for (const PredictionFinding& one : findings.predictions) {
    out += fmt::format("| {} | **{}** | {} |\n", cell(one.statement), outcome_name(one.outcome), cell(one.why));
  }
  return out + "\n";
}

std::string phases_text(const Findings& findings) {
  std::string out = "## Phases\n\n";
  for (const PhaseFinding& phase : findings.phases) {
    out += fmt::format("### {}: {}\n\n{}\n\n| step | state | seconds | evidence |\n|---|---|---|---|\n", phase.name, phase.state,
                       phase.question);
    for (const StepFinding& step : phase.steps) {
      out += fmt::format("| {}{} | {}{} | {:.1f} | {} |\n", step.name, step.what.empty() ? "" : ": " + cell(step.what), step.state,
                         step.why.empty() ? "" : " (" + cell(step.why) + ")", step.seconds,
                         step.attempt == 0 ? "" : fmt::format("`evidence/{}/{}/`", step.name, step.attempt));
    }
    if (!phase.conditions.empty()) out += fmt::format("\nGate: `{}`\n", fmt::join(phase.conditions, "`, `"));
    for (const std::string& why : phase.gate_why) out += fmt::format("- closed: {}\n", why);
    out += "\n";
  }
  return out;
}

std::string rows_text(const Findings& findings) {
  if (findings.rows.empty()) return "";
  std::string out = "## Measurements\n\n| step | target | prompt | depth | first token, ms | predicted, ms | prefill, tok/s | decode, tok/s |\n"
                    "|---|---|---|---|---|---|---|---|\n";
  for (const MeasuredRow& row : findings.rows) {
    out += fmt::format("| {} | {} | {:.0f} | {:.0f} | {} | {} | {} | {} |\n", row.step, cell(row.target), row.prompt_tokens, row.depth,
                       shown(row.ttft_ms), shown(row.predicted_ttft_ms), shown(row.prefill_tok_s), shown(row.decode_tok_s));
  }
  if (findings.comparisons.empty()) return out + "\n";
  out += "\n| target | against | prompt | first token × | decode × |\n|---|---|---|---|---|\n";
  for (const Comparison& one : findings.comparisons) {
    out += fmt::format("| {} ({}) | {} | {:.0f} | {} | {} |\n", cell(one.target), one.step, cell(one.baseline), one.prompt_tokens,
                       shown(one.ttft_ratio, 3), shown(one.decode_ratio, 3));
  }
  return out + "\n";
}

}  // namespace

std::string report_markdown(const Findings& findings) {
  std::string out = fmt::format("# {}\n\n{}\n\n## Decision\n\n", findings.name, findings.question);
  for (const std::string& sentence : findings.decision) out += "- " + sentence + "\n";
  out += "\n" + predictions_text(findings) + rows_text(findings) + phases_text(findings);
  out += "## Not established\n\n";
  if (findings.not_established.empty()) out += "Everything that was asked has an answer.\n";
  for (const std::string& sentence : findings.not_established) out += "- " + sentence + "\n";
  return out;
}

}  // namespace hearth::experiment
