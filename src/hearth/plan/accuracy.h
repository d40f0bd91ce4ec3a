#pragma once
// How wrong the cost model is, measured: every pair of hardware and model is predicted from all
// others (its own rows left out), and the errors are reported with the worst rows and by component.

#include <span>
#include <string>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/plan/cost/evidence.h"

namespace hearth::plan {

struct PredictedRow {
  Phase phase = Phase::prefill;
  std::string id{};
  std::string hardware{};
  std::string model{};
  std::string engine{};
  double measured_tok_s = 0;
  double predicted_tok_s = 0;
  double low_tok_s = 0;  // 80 % interval
  double high_tok_s = 0;
  double error = 0;  // predicted / measured - 1
  bool unknown =
      false;  // no like model on the same kernels: no prediction is made, this is a guess
  std::string component{};  // what dominates the prior
  std::vector<Evidence> evidence{};
};

struct ComponentResidual {
  Phase phase = Phase::prefill;
  std::string component{};
  std::size_t rows = 0;
  double median_error = 0;  // signed: a bias of that component
  double median_abs_error = 0;
};

struct PhaseAccuracy {
  std::size_t n = 0;
  std::size_t pairs = 0;
  double median_abs_error = 0;
  double p90_abs_error = 0;
  double inside_interval = 0;           // share of rows within their 80 % interval
  double median_abs_error_by_pair = 0;  // each pair's median counts once
  std::size_t unknown = 0;
  double unknown_median_abs_error = 0;  // had they been guessed
};

struct AccuracyReport {
  PhaseAccuracy prefill{};
  PhaseAccuracy decode{};
  std::vector<PredictedRow> rows{};  // worst first
  std::vector<ComponentResidual> components{};
  std::vector<std::pair<std::string, std::size_t>>
      excluded{};  // rule and how many rows it keeps out
};

// Leave-one-hardware-model-pair-out over the catalogue's own measurements.
AccuracyReport accuracy_left_out(const Catalog& catalog, EffectSizes effects = {});

// Rows of `others` predicted from the catalogue's measurements. A row whose id the catalogue has is
// taken out of calibration first: a named file is only predicted, never calibrated from.
AccuracyReport accuracy_of(const Catalog& catalog, std::span<const Measurement> others);

Json accuracy_json(const AccuracyReport& report);
// For a terminal of 100 columns.
std::string accuracy_text(const AccuracyReport& report, std::size_t worst_rows = 12);

// Linear interpolation between order statistics; 0 for nothing.
double quantile(std::vector<double> values, double share);

}  // namespace hearth::plan
