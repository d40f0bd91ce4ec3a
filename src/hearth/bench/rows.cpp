#include "hearth/bench/rows.h"

#include <algorithm>
#include <memory>

namespace hearth::bench {
namespace {

constexpr std::size_t reasons_max = 32;  // kinds of failures and findings of a row
constexpr std::size_t along_max = 4'096;

void count(std::map<std::string, std::size_t>& reasons, const std::string& reason) {
  if (reasons.size() < reasons_max || reasons.contains(reason)) ++reasons[reason];
  else ++reasons["other"];
}

// The first point is where reading began. Where nobody tells when, it is taken to run at the pace of what follows.
std::optional<double> queue_of(const std::vector<ProgressPoint>& progress) {
  const ProgressPoint &first = progress[0], &second = progress[1];
  if (first.at_ms > 0) return first.at_ms;
  if (progress.size() < 3) return std::nullopt;
  const ProgressPoint& third = progress[2];
  const double pace_ms = third.tokens > second.tokens ? (third.at_ms - second.at_ms) / (third.tokens - second.tokens) : 0;
  return std::max(0.0, second.at_ms - pace_ms * (second.tokens - first.tokens));
}

Waterfall waterfall_of(const Sample& sample) {
  Waterfall out{.read = sample.progress, .ttft_ms = sample.ttft_ms};
  const bool is_told = sample.progress.size() > 1;
  if (is_told) out.first_token_ms = std::clamp(sample.ttft_ms - sample.progress.back().at_ms, 0.0, sample.ttft_ms);
  if (sample.hand_off) out.tail_ms = std::clamp(sample.hand_off->tail_ms, 0.0, out.read_end_ms());
  if (sample.hand_off && sample.hand_off->import_ms) out.import_ms = std::clamp(*sample.hand_off->import_ms, 0.0, out.tail_ms);
  const double read_end_ms = out.read_end_ms();
  if (is_told) out.queue_ms = queue_of(sample.progress);
  else if (sample.server_prompt_ms) out.queue_ms = sample.ttft_ms - *sample.server_prompt_ms;
  if (out.queue_ms) out.queue_ms = std::clamp(*out.queue_ms, 0.0, read_end_ms);
  // A chunk that is handed off is told of when it has come in, the last one at the end of the tail.
  for (ProgressPoint& point : out.read) point.at_ms = std::min(point.at_ms, read_end_ms);
  if (is_told) out.read.front().at_ms = out.queue_ms.value_or(0);
  return out;
}

// Rows of a replay have every length; they are one case.
Case case_of(const Sample& sample) {
  if (sample.of.workload == "fixed") return sample.of;
  return {.workload = sample.of.workload};
}

}  // namespace

struct RowMaker::Cell {
  std::string target;
  Case of;
  std::vector<double> prompt_tokens, cached_tokens, ttft_ms, total_ms, prefill_tok_s, decode_tok_s, tpot_ms, server_prefill, server_decode,
      hand_off_bytes, hidden_share, tail_ms, energy_j, late_ms;
  Histogram gaps;
  std::uint64_t memory_bytes = 0;
  std::map<std::string, std::size_t> failures, findings, prefilled_by;
  std::vector<DepthRate> along;
  std::vector<RawRequest> raw;
  std::optional<Waterfall> waterfall;
  // Of the streams of one repeat: their answers, and the time that all of them took.
  std::map<std::uint32_t, std::pair<double, double>> together;

  void add(const Sample& s) {
    for (const std::string& finding : s.findings) count(findings, finding);
    if (!s.is_good()) return count(failures, s.failure);
    ttft_ms.push_back(s.ttft_ms);
    total_ms.push_back(s.total_ms);
    late_ms.push_back(s.late_ms);
    if (s.prompt_tokens > 0) {
      prompt_tokens.push_back(s.prompt_tokens);
      cached_tokens.push_back(s.cached_tokens);
    }
    if (const auto rate = s.prefill_tok_s()) prefill_tok_s.push_back(*rate);
    if (const auto tpot = s.tpot_ms()) {
      tpot_ms.push_back(*tpot);
      decode_tok_s.push_back(1e3 / *tpot);
    }
    if (s.server_prefill_tok_s) server_prefill.push_back(*s.server_prefill_tok_s);
    if (s.server_decode_tok_s) server_decode.push_back(*s.server_decode_tok_s);
    if (s.energy_j) energy_j.push_back(*s.energy_j);
    if (s.hand_off) {
      hand_off_bytes.push_back(static_cast<double>(s.hand_off->bytes));
      hidden_share.push_back(s.hand_off->hidden_share);
      tail_ms.push_back(s.hand_off->tail_ms);
      if (!s.hand_off->prefilled_by.empty()) count(prefilled_by, s.hand_off->prefilled_by);
    }
    for (const double gap : s.gaps_ms) gaps.add(gap);
    memory_bytes = std::max(memory_bytes, s.memory_bytes.value_or(0));
    for (const DepthRate& rate : rates_along(s.progress)) {
      if (along.size() < along_max) along.push_back(rate);
    }
    if (of.workload == "fixed" && raw.size() < raw_requests_max) {
      raw.push_back({s.repeat, s.ttft_ms, s.total_ms, s.prompt_tokens, s.cached_tokens, s.answer_tokens});
    }
    if (!waterfall) waterfall = waterfall_of(s);
    if (of.streams > 1) {
      auto& [tokens, time_ms] = together[s.repeat];
      tokens += s.answer_tokens;
      time_ms = std::max(time_ms, s.total_ms);
    }
  }

  Row row() const {
    Row out{.target = target, .of = of};
    out.prompt_tokens = spread_of(prompt_tokens);
    out.cached_tokens = spread_of(cached_tokens);
    out.ttft_ms = spread_of(ttft_ms);
    out.total_ms = spread_of(total_ms);
    out.prefill_tok_s = spread_of(prefill_tok_s);
    out.decode_tok_s = spread_of(decode_tok_s);
    out.tpot_ms = spread_of(tpot_ms);
    out.server_prefill_tok_s = spread_of(server_prefill);
    out.server_decode_tok_s = spread_of(server_decode);
    out.prefilled_by = prefilled_by;
    out.hand_off_bytes = spread_of(hand_off_bytes);
    out.hand_off_hidden_share = spread_of(hidden_share);
    out.hand_off_tail_ms = spread_of(tail_ms);
    out.energy_j = spread_of(energy_j);
    out.late_ms = spread_of(late_ms);
    out.ttft_p90_ms = quantile(ttft_ms, 0.9);
    out.ttft_p99_ms = quantile(ttft_ms, 0.99);
    out.gaps_ms = {gaps.quantile(0.5), gaps.quantile(0.9), gaps.quantile(0.99), gaps.most()};
    out.memory_bytes = memory_bytes;
    out.samples = ttft_ms.size();
    out.failures = failures;
    out.findings = findings;
    out.along = along;
    std::ranges::sort(out.along, {}, &DepthRate::depth);
    out.raw = raw;
    out.waterfall = waterfall;
    std::vector<double> rates;
    for (const auto& [repeat, sum] : together) {
      if (sum.second > 0) rates.push_back(sum.first / sum.second * 1e3);
    }
    out.streams_tok_s = quantile(rates, 0.5);
    return out;
  }
};

RowMaker::RowMaker() = default;
RowMaker::~RowMaker() = default;
RowMaker::RowMaker(RowMaker&&) noexcept = default;

void RowMaker::add(const Sample& sample) {
  const Case of = case_of(sample);
  auto cell = std::ranges::find_if(cells_, [&](const auto& one) { return one->target == sample.target && one->of == of; });
  if (cell == cells_.end()) {
    cells_.push_back(std::make_unique<Cell>());
    cell = cells_.end() - 1;
    (*cell)->target = sample.target;
    (*cell)->of = of;
  }
  (*cell)->add(sample);
}

std::vector<Row> RowMaker::rows() const {
  std::vector<Row> out;
  for (const auto& cell : cells_) out.push_back(cell->row());
  return out;
}

std::optional<double> error_of(const std::optional<double>& predicted, const Spread& measured) {
  if (!predicted || *predicted <= 0 || measured.samples == 0 || measured.median <= 0) return std::nullopt;
  return *predicted / measured.median - 1;
}

namespace {

struct Metric {
  const char* name;
  Spread Row::* spread;
  bool higher_is_better;
};
constexpr Metric metrics[] = {{"ttft_ms", &Row::ttft_ms, false},
                              {"prefill_tok_s", &Row::prefill_tok_s, true},
                              {"decode_tok_s", &Row::decode_tok_s, true},
                              {"total_ms", &Row::total_ms, false}};

const Row* partner_of(const Row& row, const std::vector<Row>& others, bool by_target) {
  for (const Row& other : others) {
    if (other.of == row.of && (!by_target || other.target == row.target)) return &other;
  }
  return nullptr;
}

bool has_one_target(const std::vector<Row>& rows) {
  return std::ranges::all_of(rows, [&](const Row& row) { return row.target == rows.front().target; });
}

}  // namespace

std::vector<Change> compare(const std::vector<Row>& before, const std::vector<Row>& after) {
  std::vector<Change> out;
  const bool by_target = !(has_one_target(before) && has_one_target(after));
  for (const Row& row : before) {
    const Row* other = partner_of(row, after, by_target);
    if (other == nullptr) continue;
    for (const Metric& metric : metrics) {
      const Spread &a = row.*metric.spread, &b = other->*metric.spread;
      if (a.samples == 0 || b.samples == 0 || a.low <= 0 || b.low <= 0) continue;
      Change change{.target = row.target, .of = row.of, .metric = metric.name, .before = a, .after = b};
      change.ratio = b.median / a.median;
      change.low = b.low / a.high;
      change.high = b.high / a.low;
      const bool overlap = change.low <= 1 && change.high >= 1;
      change.verdict = overlap ? "within the noise" : (change.ratio > 1) == metric.higher_is_better ? "better" : "worse";
      out.push_back(std::move(change));
    }
  }
  return out;
}

Json changes_json(const std::vector<Change>& changes) {
  Json out = Json::array();
  for (const Change& one : changes) {
    out.push(Json::object({{"target", one.target}, {"case", case_text(one.of)}, {"metric", one.metric}, {"before", one.before.median},
                           {"after", one.after.median}, {"ratio", one.ratio}, {"low", one.low}, {"high", one.high}, {"verdict", one.verdict}}));
  }
  return out;
}

}  // namespace hearth::bench
