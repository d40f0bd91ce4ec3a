#include "hearth/experiment/measured.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hearth::experiment {
namespace {

std::optional<double> number_in(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  return value != nullptr && value->is_number() ? std::optional(value->as_double()) : std::nullopt;
}

// A number, or what a measurement with an interval says of it; the interval may stand apart.
Measure measure_in(const Json& row, std::string_view key) {
  Measure out{.value = number_in(row, key), .low = {}, .high = {}, .predicted = {}};
  const Json* own = row.find(key);
  const Json* all = row.find("intervals");
  for (const Json* interval : {own, all == nullptr ? nullptr : all->find(key)}) {
    if (interval == nullptr || !interval->is_object()) continue;
    if (!out.value) out.value = number_in(*interval, "median");
    out.low = number_in(*interval, "low");
    out.high = number_in(*interval, "high");
  }
  if (const Json* predicted = row.find("predicted")) out.predicted = number_in(*predicted, key);
  return out;
}

std::optional<TimeSplit> split_in(const Json& row, const MeasuredRow& measured) {
  const Json* intervals = row.find("intervals");
  const Json* total = intervals == nullptr ? nullptr : intervals->find("total_ms");
  const auto total_ms = total == nullptr ? std::nullopt : number_in(*total, "median");
  if (!total_ms || !measured.ttft_ms.value || measured.streams > 1) return std::nullopt;
  const Json* hand_off = row.find("hand_off");
  const double tail_ms = hand_off == nullptr ? 0 : std::clamp(number_in(*hand_off, "tail_ms").value_or(0), 0.0, *measured.ttft_ms.value);
  return TimeSplit{.prefill_ms = *measured.ttft_ms.value - tail_ms, .hand_off_ms = tail_ms,
                   .decode_ms = std::max(0.0, *total_ms - *measured.ttft_ms.value)};
}

bool is_same_case(const MeasuredRow& a, const MeasuredRow& b) {
  return a.prompt_tokens == b.prompt_tokens && a.depth == b.depth && a.streams == b.streams;
}

std::optional<Ratio> ratio_of(const Measure& a, const Measure& b) {
  if (!a.value || !b.value || *a.value <= 0 || *b.value <= 0) return std::nullopt;
  Ratio out{.value = *a.value / *b.value, .low = a.low.value_or(*a.value) / std::max(1e-12, b.high.value_or(*b.value)),
            .high = a.high.value_or(*a.value) / std::max(1e-12, b.low.value_or(*b.value)), .predicted = {}};
  if (a.predicted && b.predicted && *b.predicted > 0) out.predicted = *a.predicted / *b.predicted;
  return out;
}

// 1.08 of "later" and "sooner": "8 % later".
std::string change_text(double ratio, std::string_view more, std::string_view less) {
  const double percent = 100 * std::abs(ratio - 1);
  if (percent < 0.5) return "no change";
  return fmt::format("{:.0f} % {}", percent, ratio > 1 ? more : less);
}

std::string judged(const Ratio& ratio, std::string_view more, std::string_view less) {
  std::string out = change_text(ratio.value, more, less);
  out += ratio.is_noise() ? fmt::format(", within the noise ({:.2f} to {:.2f} times)", ratio.low, ratio.high)
                          : fmt::format(" ({:.2f} to {:.2f} times)", ratio.low, ratio.high);
  if (ratio.predicted) out += "; predicted: " + change_text(*ratio.predicted, more, less);
  return out;
}

std::string place_text(const MeasuredRow& row) {
  std::string out = fmt::format("{:.0f} tokens", row.prompt_tokens);
  if (row.depth > 0) out += fmt::format(" after {:.0f}", row.depth);
  if (row.streams > 1) out += fmt::format(" in {:.0f} streams", row.streams);
  return out;
}

std::optional<double> median_error(const std::vector<MeasuredRow>& rows, Measure MeasuredRow::* measure, std::size_t& count) {
  std::vector<double> errors;
  for (const MeasuredRow& row : rows) {
    if (const auto error = (row.*measure).error()) errors.push_back(std::abs(*error));
  }
  count = errors.size();
  if (errors.empty()) return std::nullopt;
  std::ranges::sort(errors);
  return errors.size() % 2 == 1 ? errors[errors.size() / 2] : (errors[errors.size() / 2 - 1] + errors[errors.size() / 2]) / 2;
}

}  // namespace

std::optional<double> Measure::error() const {
  return value && predicted && *value > 0 && *predicted > 0 ? std::optional(*predicted / *value - 1) : std::nullopt;
}

std::string row_name(const MeasuredRow& row) { return row.target == row.step ? row.target : fmt::format("{} ({})", row.target, row.step); }

void add_rows(const std::string& step, const Json& result, std::vector<MeasuredRow>& out) {
  const Json* rows = result.find("rows");
  if (rows == nullptr || !rows->is_array()) return;
  for (std::size_t i = 0; i < rows->as_array().size(); ++i) {
    const Json& row = rows->as_array()[i];
    const auto prompt = measure_in(row, "prompt_tokens").value;
    const Json* target = row.find("target");
    if (!prompt || target == nullptr || !target->is_string()) continue;
    MeasuredRow one{.step = step, .target = target->as_string(), .index = i, .prompt_tokens = *prompt,
                    .depth = number_in(row, "depth").value_or(0), .streams = number_in(row, "streams").value_or(1),
                    .ttft_ms = measure_in(row, "ttft_ms"), .prefill_tok_s = measure_in(row, "prefill_tok_s"),
                    .decode_tok_s = measure_in(row, "decode_tok_s"), .split = {}};
    one.failures = static_cast<std::uint64_t>(std::max(0.0, number_in(row, "failures").value_or(0)));
    one.split = split_in(row, one);
    out.push_back(std::move(one));
  }
}

std::vector<Comparison> compare_rows(const std::vector<MeasuredRow>& rows) {
  std::vector<Comparison> out;
  const auto first_where = [&](const MeasuredRow& row, bool in_step) {
    const auto found = std::ranges::find_if(rows, [&](const MeasuredRow& other) { return is_same_case(other, row) && (!in_step || other.step == row.step); });
    return static_cast<std::size_t>(found - rows.begin());
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::size_t baseline = first_where(rows[i], true);
    if (baseline == i) baseline = first_where(rows[i], false);
    if (baseline == i) continue;
    out.push_back({.row = i, .baseline = baseline, .ttft = ratio_of(rows[i].ttft_ms, rows[baseline].ttft_ms),
                   .decode = ratio_of(rows[i].decode_tok_s, rows[baseline].decode_tok_s)});
  }
  return out;
}

std::string comparison_sentence(const std::vector<MeasuredRow>& rows, const Comparison& one) {
  const MeasuredRow &row = rows[one.row], &baseline = rows[one.baseline];
  std::string out = fmt::format("{} against {}, {}: ", row_name(row), row_name(baseline), place_text(row));
  out += one.ttft ? "first token " + judged(*one.ttft, "later", "sooner") : "first token not known";
  out += one.decode ? ". Decode " + judged(*one.decode, "faster", "slower") : ". Decode not known";
  return out + ".";
}

std::string prediction_sentence(const std::vector<MeasuredRow>& rows) {
  std::size_t first_count = 0, decode_count = 0;
  const auto first = median_error(rows, &MeasuredRow::ttft_ms, first_count);
  const auto decode = median_error(rows, &MeasuredRow::decode_tok_s, decode_count);
  if (!first && !decode) return "";
  std::string out = "The plan was off by";
  if (first) out += fmt::format(" {:.0f} % on the first token (median of {} rows)", 100 * *first, first_count);
  if (decode) out += fmt::format("{} {:.0f} % on decode (median of {})", first ? " and" : "", 100 * *decode, decode_count);
  return out + ".";
}

}  // namespace hearth::experiment
