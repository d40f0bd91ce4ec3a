#pragma once
// The measurements in an experiment's results: rows with a target and a prompt length (hearth bench
// --json), what was predicted for each, and how topologies compare. Pure.

#include <optional>
#include <string>
#include <vector>

#include "hearth/base/json.h"

namespace hearth::experiment {

// A measured number, the interval that holds it, and what was predicted for it.
struct Measure {
  std::optional<double> value, low, high, predicted;
  std::optional<double> error() const;  // predicted / measured - 1
};

// Where the time of one answer went.
struct TimeSplit {
  double prefill_ms = 0;
  double hand_off_ms = 0;  // what no computation hid
  double decode_ms = 0;
};

struct MeasuredRow {
  std::string step, target;
  std::size_t index = 0;  // in the result's rows
  double prompt_tokens = 0, depth = 0, streams = 1;
  Measure ttft_ms, prefill_tok_s, decode_tok_s;
  std::optional<TimeSplit> split;
  std::uint64_t failures = 0;
};

void add_rows(const std::string& step, const Json& result, std::vector<MeasuredRow>& out);

// A number of one row over that of another, and what the two intervals allow.
struct Ratio {
  double value = 1, low = 1, high = 1;
  std::optional<double> predicted;
  bool is_noise() const { return low <= 1 && high >= 1; }
};

// A target against the first of its run, or the first of a run against the first of all, at the same length,
// depth and number of streams.
struct Comparison {
  std::size_t row = 0, baseline = 0;  // indices of rows
  std::optional<Ratio> ttft, decode;
};
std::vector<Comparison> compare_rows(const std::vector<MeasuredRow>& rows);

// "At 1,024 tokens split brings the first token 8 % later than alone (3 % later was predicted); decode: …"
std::string comparison_sentence(const std::vector<MeasuredRow>& rows, const Comparison& one);

// How far the plan was off, over all rows that have a prediction; empty where none has.
std::string prediction_sentence(const std::vector<MeasuredRow>& rows);

std::string row_name(const MeasuredRow& row);  // "alone (baseline)"

}  // namespace hearth::experiment
