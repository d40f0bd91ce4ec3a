#include <fmt/format.h>

#include "hearth/plan/accuracy.h"

namespace hearth::plan {
namespace {

Json phase_json(const PhaseAccuracy& a) {
  return Json::object({{"n", a.n},
                       {"median_abs_error", a.median_abs_error},
                       {"p90_abs_error", a.p90_abs_error},
                       {"pairs", a.pairs},
                       {"median_abs_error_by_pair", a.median_abs_error_by_pair},
                       {"inside_80_percent_interval", a.inside_interval},
                       {"unknown", a.unknown},
                       {"unknown_median_abs_error_if_guessed", a.unknown_median_abs_error}});
}

std::string phase_text(std::string_view name, const PhaseAccuracy& a) {
  return fmt::format("{:<8} {:>5} {:>6} {:>12.1f} % {:>9.1f} % {:>14.1f} % {:>14.0f} % {:>9}\n",
                     name, a.n, a.pairs, 100 * a.median_abs_error, 100 * a.p90_abs_error,
                     100 * a.median_abs_error_by_pair, 100 * a.inside_interval, a.unknown);
}

}  // namespace

Json accuracy_json(const AccuracyReport& report) {
  Json rows = Json::array();
  for (const PredictedRow& row : report.rows) {
    Json from = Json::array();
    for (const Evidence& e : row.evidence) from.push(e.id);
    rows.push(Json::object({{"phase", phase_name(row.phase)},
                            {"id", row.id},
                            {"hardware", row.hardware},
                            {"model", row.model},
                            {"engine", row.engine},
                            {"measured_tok_s", row.measured_tok_s},
                            {"predicted_tok_s", row.predicted_tok_s},
                            {"low_tok_s", row.low_tok_s},
                            {"high_tok_s", row.high_tok_s},
                            {"error", row.error},
                            {"unknown", row.unknown},
                            {"component", row.component},
                            {"calibrated_from", std::move(from)}}));
  }
  Json components = Json::array();
  for (const ComponentResidual& c : report.components) {
    components.push(Json::object({{"phase", phase_name(c.phase)},
                                  {"component", c.component},
                                  {"rows", c.rows},
                                  {"median_error", c.median_error},
                                  {"median_abs_error", c.median_abs_error}}));
  }
  Json excluded = Json::array();
  for (const auto& [rule, count] : report.excluded) {
    excluded.push(Json::object({{"rule", rule}, {"rows", count}}));
  }
  return Json::object({{"prefill", phase_json(report.prefill)},
                       {"decode", phase_json(report.decode)},
                       {"components", std::move(components)},
                       {"excluded", std::move(excluded)},
                       {"rows", std::move(rows)}});
}

std::string accuracy_text(const AccuracyReport& report, std::size_t worst_rows) {
  std::string out =
      "How wrong the planner is: each pair of hardware and model predicted from all others.\n\n"
      "phase     rows  pairs  median error  90 % within  median of pairs  inside interval   "
      "unknown\n";
  out += phase_text("prefill", report.prefill);
  out += phase_text("decode", report.decode);
  out += "\nBy what dominates the time (a signed median far from 0 is a bias of that component):\n";
  for (const ComponentResidual& c : report.components) {
    out += fmt::format("  {:<8} {:<38} {:>4} rows  median {:>+6.1f} %  absolute {:>5.1f} %\n",
                       phase_name(c.phase), c.component, c.rows, 100 * c.median_error,
                       100 * c.median_abs_error);
  }
  out += fmt::format("\n{:<8} {:<52} {:>10} {:>10} {:>8}\n", "worst", "row", "measured",
                     "predicted", "error");
  std::size_t shown = 0;
  for (const PredictedRow& row : report.rows) {
    if (row.unknown || shown == worst_rows) break;
    ++shown;
    out += fmt::format("{:<8} {:<52.52} {:>10.1f} {:>10.1f} {:>+6.0f} %\n", phase_name(row.phase),
                       row.id, row.measured_tok_s, row.predicted_tok_s, 100 * row.error);
  }
  const std::size_t unknown = report.prefill.unknown + report.decode.unknown;
  if (unknown > 0) {
    out += fmt::format(
        "\nUnknown, so not predicted: {} rates for which no like model on the same kernels is "
        "left.\n"
        "Guessed all the same, their median error would be {:.0f} % (prefill) and {:.0f} % "
        "(decode).\n",
        unknown, 100 * report.prefill.unknown_median_abs_error,
        100 * report.decode.unknown_median_abs_error);
  }
  out += "\nRates left out by rule, whatever their error:\n";
  for (const auto& [rule, count] : report.excluded)
    out += fmt::format("  {:>4}  {}\n", count, rule);
  return out;
}

}  // namespace hearth::plan
