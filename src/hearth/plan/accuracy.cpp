#include "hearth/plan/accuracy.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace hearth::plan {
namespace {

constexpr double interval_sd = 1.2816;  // of a normal: 80 % lie within
constexpr double attention_small = 0.1;
constexpr double attention_large = 0.3;
constexpr double dominating = 0.3;

using Pair = std::pair<std::string, std::string>;  // hardware, architecture

Pair pair_of(const UsableRow& row) { return {row.row->hardware, row.key.architecture}; }

std::string component_of(const UsableRow& row, Phase phase) {
  if (phase == Phase::prefill) {
    const double share = row.key.attention_share;
    if (share < attention_small) return "linear (attention under 10 %)";
    return share < attention_large ? "mixed (attention 10 to 30 %)" : "attention (30 % and more)";
  }
  if (row.row->concurrency > 1) return "several streams";
  const DecodeParts& parts = row.decode;
  const double total = parts.total_s();
  if (std::max(parts.kv_s, parts.attention_s) > dominating / 2 * total)
    return "KV and attention (15 % and more)";
  return parts.layers_s > dominating * total ? "fixed time per layer (30 % and more)" : "weights";
}

PredictedRow predict(const UsableRow& row, Phase phase, const Calibration& calibration) {
  const bool known = calibration.correct(row.key).has_value();
  const Correction correction = calibration.guess(row.key);
  const double seconds = row.prior_s * std::exp(correction.log_mean);
  PredictedRow out;
  out.phase = phase;
  out.id = row.row->id;
  out.hardware = row.row->hardware;
  out.model = row.row->model;
  out.engine = row.row->engine;
  out.measured_tok_s = row.measured_tok_s;
  out.predicted_tok_s = row.measured_tok_s * row.measured_s / seconds;
  out.low_tok_s = out.predicted_tok_s * std::exp(-interval_sd * correction.log_sd);
  out.high_tok_s = out.predicted_tok_s * std::exp(interval_sd * correction.log_sd);
  out.error = out.predicted_tok_s / out.measured_tok_s - 1;
  out.unknown = !known;
  out.component = component_of(row, phase);
  out.evidence = correction.evidence;
  return out;
}

PhaseAccuracy summarise(const std::vector<PredictedRow>& rows, Phase phase) {
  PhaseAccuracy out;
  std::vector<double> errors, guesses, pair_medians;
  std::map<Pair, std::vector<double>> by_pair;
  std::size_t inside = 0;
  for (const PredictedRow& row : rows) {
    if (row.phase != phase) continue;
    if (row.unknown) {
      guesses.push_back(std::abs(row.error));
      continue;
    }
    errors.push_back(std::abs(row.error));
    by_pair[{row.hardware, row.model}].push_back(std::abs(row.error));
    if (row.measured_tok_s >= row.low_tok_s && row.measured_tok_s <= row.high_tok_s) ++inside;
  }
  for (auto& [pair, values] : by_pair) pair_medians.push_back(quantile(values, 0.5));
  out.n = errors.size();
  out.pairs = by_pair.size();
  out.inside_interval = out.n ? static_cast<double>(inside) / static_cast<double>(out.n) : 0;
  out.median_abs_error = quantile(errors, 0.5);
  out.p90_abs_error = quantile(std::move(errors), 0.9);
  out.median_abs_error_by_pair = quantile(std::move(pair_medians), 0.5);
  out.unknown = guesses.size();
  out.unknown_median_abs_error = quantile(std::move(guesses), 0.5);
  return out;
}

std::vector<ComponentResidual> by_component(const std::vector<PredictedRow>& rows) {
  std::map<std::pair<Phase, std::string>, std::vector<double>> groups;
  for (const PredictedRow& row : rows) {
    if (!row.unknown) groups[{row.phase, row.component}].push_back(row.error);
  }
  std::vector<ComponentResidual> out;
  for (auto& [key, errors] : groups) {
    ComponentResidual residual{.phase = key.first, .component = key.second, .rows = errors.size()};
    residual.median_error = quantile(errors, 0.5);
    std::ranges::transform(errors, errors.begin(), [](double e) { return std::abs(e); });
    residual.median_abs_error = quantile(errors, 0.5);
    out.push_back(std::move(residual));
  }
  return out;
}

void finish(AccuracyReport& report, const std::map<std::string, std::size_t>& excluded) {
  std::ranges::stable_sort(report.rows, [](const PredictedRow& a, const PredictedRow& b) {
    if (a.unknown != b.unknown) return !a.unknown;
    return std::abs(std::log1p(a.error)) > std::abs(std::log1p(b.error));
  });
  report.prefill = summarise(report.rows, Phase::prefill);
  report.decode = summarise(report.rows, Phase::decode);
  report.components = by_component(report.rows);
  report.excluded.assign(excluded.begin(), excluded.end());
}

bool rate_given(const Measurement& row, Phase phase) {
  return phase == Phase::prefill ? row.prefill_tok_s.has_value() : row.decode_tok_s.has_value();
}

Calibration calibrate_with(const std::vector<UsableRow>& rows, EffectSizes effects) {
  std::vector<Observation> observations;
  for (const UsableRow& row : rows) observations.push_back(observation_of(row));
  return Calibration::build(std::move(observations), effects);
}

}  // namespace

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const double at = share * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (values[high] - values[low]) * (at - static_cast<double>(low));
}

AccuracyReport accuracy_left_out(const Catalog& catalog, EffectSizes effects) {
  AccuracyReport report;
  std::map<std::string, std::size_t> excluded;
  for (const Phase phase : {Phase::prefill, Phase::decode}) {
    for (const Measurement& row : catalog.measurements) {
      if (!rate_given(row, phase)) continue;
      auto examined = examine(catalog, row, phase);
      if (auto* rule = std::get_if<std::string>(&examined)) ++excluded[*rule];
    }
    const std::vector<UsableRow> all = usable_rows(catalog, phase);
    std::set<Pair> pairs;
    for (const UsableRow& row : all) pairs.insert(pair_of(row));
    for (const Pair& pair : pairs) {
      std::vector<UsableRow> others;
      std::ranges::copy_if(all, std::back_inserter(others),
                           [&](const UsableRow& row) { return pair_of(row) != pair; });
      const Calibration calibration = calibrate_with(others, effects);
      for (const UsableRow& row : all) {
        if (pair_of(row) == pair) report.rows.push_back(predict(row, phase, calibration));
      }
    }
  }
  finish(report, excluded);
  return report;
}

AccuracyReport accuracy_of(const Catalog& catalog, std::span<const Measurement> others) {
  AccuracyReport report;
  std::map<std::string, std::size_t> excluded;
  std::set<std::string> named;
  for (const Measurement& row : others) named.insert(row.id);
  for (const Phase phase : {Phase::prefill, Phase::decode}) {
    std::vector<UsableRow> known = usable_rows(catalog, phase);
    std::erase_if(known, [&](const UsableRow& row) { return named.contains(row.row->id); });
    const Calibration calibration = calibrate(known);
    for (const Measurement& row : others) {
      if (!rate_given(row, phase)) continue;
      auto examined = examine(catalog, row, phase);
      if (auto* rule = std::get_if<std::string>(&examined)) {
        ++excluded[*rule];
      } else {
        report.rows.push_back(predict(std::get<UsableRow>(examined), phase, calibration));
      }
    }
  }
  finish(report, excluded);
  return report;
}

}  // namespace hearth::plan
