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

std::string time_text(const Findings& findings) {
  std::string out;
  for (const MeasuredRow& row : findings.rows) {
    if (!row.split) continue;
    out += fmt::format("| {} | {:.0f} | {:.0f} | {:.0f} | {:.0f} | {:.0f} |\n", cell(row_name(row)), row.prompt_tokens, row.depth,
                       row.split->prefill_ms, row.split->hand_off_ms, row.split->decode_ms);
  }
  if (out.empty()) return "";
  return "Where the time of an answer goes:\n\n| target | prompt | depth | prefill, ms | hand-off that nothing hid, ms | decode, ms |\n|---|---|---|---|---|---|\n" + out + "\n";
}

std::string measured(const Measure& measure) {
  if (!measure.value) return "–";
  return measure.low && measure.high && *measure.low < *measure.high ? fmt::format("{:.4g} ({:.4g} to {:.4g})", *measure.value, *measure.low, *measure.high)
                                                                     : shown(measure.value);
}
std::string predicted(const Measure& measure) {
  if (!measure.predicted) return "–";
  const auto error = measure.error();
  return shown(measure.predicted) + (error ? fmt::format(" ({:+.0f} %)", 100 * *error) : "");
}

std::string comparisons_text(const Findings& findings) {
  std::string out;
  for (const Comparison& one : findings.comparisons) out += "- " + comparison_sentence(findings.rows, one) + "\n";
  if (const std::string sentence = prediction_sentence(findings.rows); !sentence.empty()) out += "\n" + sentence + "\n";
  return out.empty() ? out : "## Faster or slower?\n\n" + out + "\n";
}

std::string rows_text(const Findings& findings) {
  if (findings.rows.empty()) return "";
  std::string out = "## Measurements\n\n| target | prompt | depth | first token, ms | predicted | prefill, tok/s | predicted | decode, tok/s | predicted | row |\n"
         "|---|---|---|---|---|---|---|---|---|---|\n";
  for (const MeasuredRow& row : findings.rows) {
    out += fmt::format("| {} | {:.0f} | {:.0f} | {} | {} | {} | {} | {} | {} | `{}` rows[{}] |\n", cell(row_name(row)), row.prompt_tokens, row.depth,
                       measured(row.ttft_ms), predicted(row.ttft_ms), measured(row.prefill_tok_s), predicted(row.prefill_tok_s),
                       measured(row.decode_tok_s), predicted(row.decode_tok_s), row.step, row.index);
  }
  return out + "\n" + time_text(findings);
}

}  // namespace

std::string report_markdown(const Findings& findings) {
  std::string out = fmt::format("# {}\n\n{}\n\n{} to {}\n\n## Decision\n\n", findings.name, findings.question,
                                findings.began_at, findings.ended_at);
  for (const std::string& sentence : findings.decision) out += "- " + sentence + "\n";
  out += "\n" + comparisons_text(findings) + predictions_text(findings) + rows_text(findings) + phases_text(findings);
  out += "## Not established\n\n";
  if (findings.not_established.empty()) out += "Everything that was asked has an answer.\n";
  for (const std::string& sentence : findings.not_established) out += "- " + sentence + "\n";
  if (!findings.setting.empty()) out += "\n## Setting\n\n| | |\n|---|---|\n";
  for (const auto& [name, text] : findings.setting) out += fmt::format("| {} | {} |\n", cell(name), cell(text));
  return out;
}

}  // namespace hearth::experiment
