#pragma once
// A table of a run: one row for each target and case, made of its samples. Pure.

#include <map>
#include <memory>

#include "hearth/bench/sample.h"
#include "hearth/bench/statistics.h"

namespace hearth::bench {

// Of the plan, before anything was measured.
struct Predicted {
  std::optional<double> ttft_ms, prefill_tok_s, decode_tok_s;
  std::string why_not{};  // where there are none
};

struct GapQuantiles {
  double p50 = 0, p90 = 0, p99 = 0, most = 0;
};

// One request, from its sending to its first token: waiting, reading, the hand-off's tail, the first token. A part that
// is absent was not told, and is within the reading.
struct Waterfall {
  std::optional<double> queue_ms;      // before reading began
  std::vector<ProgressPoint> read;     // by chunks; fewer than two points: not told
  double tail_ms = 0;                  // transfer and import that no reading hid; 0: no hand-off
  std::optional<double> import_ms;     // of the tail, its end
  std::optional<double> first_token_ms;
  double ttft_ms = 0;
  double read_end_ms() const { return ttft_ms - first_token_ms.value_or(0) - tail_ms; }
};

// One request as it was measured: what the medians are made of.
struct RawRequest {
  std::uint32_t repeat = 0;
  double ttft_ms = 0, total_ms = 0;
  std::uint32_t prompt_tokens = 0, cached_tokens = 0, answer_tokens = 0;
};
inline constexpr std::size_t raw_requests_max = 256;  // of a row; the database has all

struct Row {
  std::string target;
  Case of;
  Spread prompt_tokens, cached_tokens;  // as the server counts
  Spread ttft_ms, total_ms, prefill_tok_s, decode_tok_s, tpot_ms;
  Spread server_prefill_tok_s, server_decode_tok_s;  // what the server says itself
  std::map<std::string, std::size_t> prefilled_by;  // requests by the other machine that read their prompt
  Spread hand_off_bytes, hand_off_hidden_share, hand_off_tail_ms, energy_j, late_ms;
  double streams_tok_s = 0;  // all streams together, answers; 0 for one
  GapQuantiles gaps_ms;
  double ttft_p90_ms = 0, ttft_p99_ms = 0;
  std::uint64_t memory_bytes = 0;  // most that was seen; 0: not told
  std::size_t samples = 0;
  std::map<std::string, std::size_t> failures;  // by reason
  std::map<std::string, std::size_t> findings;
  std::vector<DepthRate> along;  // prefill along the context, of all samples
  std::vector<RawRequest> raw;   // of the fixed cases, those that did not fail
  std::optional<Waterfall> waterfall;
  std::optional<Predicted> predicted;
};

// Takes samples one by one and keeps of each a few numbers.
class RowMaker {
 public:
  RowMaker();
  ~RowMaker();
  RowMaker(RowMaker&&) noexcept;
  void add(const Sample& sample);
  // In the order in which targets and cases were first seen; of a replay there is one row a workload.
  std::vector<Row> rows() const;

 private:
  struct Cell;
  std::vector<std::unique_ptr<Cell>> cells_;
};

// Measured over predicted - 1; nothing where one of them is missing.
std::optional<double> error_of(const std::optional<double>& predicted, const Spread& measured);

// target, prompt_tokens, depth, answer_tokens, streams, workload, ttft_ms, prefill_tok_s, decode_tok_s,
// tpot_ms (medians, null when unknown), intervals {…}, samples, failures, findings, predicted {…}, …
Json row_json(const Row& row);
std::string rows_csv(const std::vector<Row>& rows);

// What became of each row of `before` in `after`. Rows meet by case, and by target where both runs have
// more than one.
struct Change {
  std::string target;
  Case of;
  std::string metric;  // "ttft_ms"
  Spread before, after;
  double ratio = 0, low = 0, high = 0;  // after / before, and what the two intervals allow
  std::string verdict;                  // "better", "worse", "within the noise"
};
std::vector<Change> compare(const std::vector<Row>& before, const std::vector<Row>& after);
Json changes_json(const std::vector<Change>& changes);

}  // namespace hearth::bench
