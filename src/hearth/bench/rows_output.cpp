// Rows for programs.

#include <fmt/format.h>

#include "hearth/bench/rows.h"

namespace hearth::bench {
namespace {

Json median_of(const Spread& spread) { return spread.samples == 0 ? Json() : Json(spread.median); }

Json reasons_json(const std::map<std::string, std::size_t>& reasons, const char* word) {
  Json out = Json::array();
  for (const auto& [reason, count] : reasons) out.push(Json::object({{word, reason}, {"count", count}}));
  return out;
}

Json predicted_json(const Row& row) {
  Json out = Json::object();
  if (!row.predicted) return out;
  const auto add = [&](const char* name, const std::optional<double>& predicted, const Spread& measured) {
    if (!predicted) return;
    out.set(name, *predicted);
    const auto error = error_of(predicted, measured);
    out.set(std::string(name) + "_error", error ? Json(*error) : Json());
  };
  add("ttft_ms", row.predicted->ttft_ms, row.ttft_ms);
  add("prefill_tok_s", row.predicted->prefill_tok_s, row.prefill_tok_s);
  add("decode_tok_s", row.predicted->decode_tok_s, row.decode_tok_s);
  if (!row.predicted->why_not.empty()) out.set("why_not", row.predicted->why_not);
  return out;
}

Json intervals_json(const Row& row) {
  return Json::object({{"ttft_ms", spread_json(row.ttft_ms)}, {"total_ms", spread_json(row.total_ms)},
                       {"prefill_tok_s", spread_json(row.prefill_tok_s)}, {"decode_tok_s", spread_json(row.decode_tok_s)},
                       {"tpot_ms", spread_json(row.tpot_ms)}});
}

Json raw_json(const std::vector<RawRequest>& raw) {
  Json out = Json::array();
  for (const RawRequest& one : raw) {
    out.push(Json::object({{"repeat", one.repeat}, {"ttft_ms", one.ttft_ms}, {"total_ms", one.total_ms}, {"prompt_tokens", one.prompt_tokens},
                           {"cached_tokens", one.cached_tokens}, {"answer_tokens", one.answer_tokens}}));
  }
  return out;
}

std::string quoted_cell(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string cell_of(const Spread& spread) { return spread.samples == 0 ? "" : fmt::format("{:.6g}", spread.median); }

std::string cell_of(const std::optional<double>& value) { return value ? fmt::format("{:.6g}", *value) : ""; }

std::size_t sum_of(const std::map<std::string, std::size_t>& reasons) {
  std::size_t out = 0;
  for (const auto& [reason, count] : reasons) out += count;
  return out;
}

}  // namespace

Json row_json(const Row& row) {
  Json along = Json::array();
  for (const DepthRate& rate : row.along) along.push(Json::array({rate.depth, rate.tok_s}));
  Json out = Json::object({{"target", row.target}, {"prompt_tokens", row.of.workload == "fixed" ? Json(row.of.prompt_tokens) : median_of(row.prompt_tokens)},
                           {"depth", row.of.depth}, {"answer_tokens", row.of.answer_tokens}, {"streams", row.of.streams},
                           {"workload", row.of.workload}, {"ttft_ms", median_of(row.ttft_ms)}, {"ttft_p90_ms", row.ttft_p90_ms},
                           {"ttft_p99_ms", row.ttft_p99_ms}, {"prefill_tok_s", median_of(row.prefill_tok_s)},
                           {"decode_tok_s", median_of(row.decode_tok_s)}, {"tpot_ms", median_of(row.tpot_ms)},
                           {"gaps_ms", Json::object({{"p50", row.gaps_ms.p50}, {"p90", row.gaps_ms.p90}, {"p99", row.gaps_ms.p99}, {"most", row.gaps_ms.most}})},
                           {"streams_tok_s", row.streams_tok_s}, {"samples", row.samples}, {"intervals", intervals_json(row)},
                           {"told", Json::object({{"prompt_tokens", median_of(row.prompt_tokens)}, {"cached_tokens", median_of(row.cached_tokens)},
                                                  {"prefill_tok_s", median_of(row.server_prefill_tok_s)}, {"decode_tok_s", median_of(row.server_decode_tok_s)}})},
                           {"predicted", predicted_json(row)}, {"failures", sum_of(row.failures)}, {"failure_reasons", reasons_json(row.failures, "reason")},
                           {"findings", reasons_json(row.findings, "finding")}, {"prefill_along", std::move(along)}});
  if (row.hand_off_bytes.samples > 0) {
    out.set("hand_off", Json::object({{"bytes", median_of(row.hand_off_bytes)}, {"hidden_share", median_of(row.hand_off_hidden_share)},
                                      {"tail_ms", median_of(row.hand_off_tail_ms)}, {"prefilled_by", reasons_json(row.prefilled_by, "machine")}}));
  }
  if (!row.raw.empty()) out.set("raw", raw_json(row.raw));
  if (row.memory_bytes > 0) out.set("memory_bytes", row.memory_bytes);
  if (row.energy_j.samples > 0) out.set("energy_j", row.energy_j.median);
  return out;
}

std::string rows_csv(const std::vector<Row>& rows) {
  std::string out = "target,workload,prompt_tokens,depth,answer_tokens,streams,samples,failures,ttft_ms,ttft_low_ms,ttft_high_ms,prefill_tok_s,"
                    "decode_tok_s,tpot_ms,gap_p50_ms,gap_p99_ms,streams_tok_s,hand_off_bytes,memory_bytes,energy_j,predicted_ttft_ms,predicted_prefill_tok_s,predicted_decode_tok_s\n";
  for (const Row& row : rows) {
    const Predicted predicted = row.predicted.value_or(Predicted{});
    out += fmt::format("{},{},{},{},{},{},{},{},{},{:.6g},{:.6g},{},{},{},{:.6g},{:.6g},{:.6g},{},{},{},{},{},{}\n", quoted_cell(row.target),
                       quoted_cell(row.of.workload), row.of.prompt_tokens, row.of.depth, row.of.answer_tokens, row.of.streams, row.samples,
                       sum_of(row.failures), cell_of(row.ttft_ms), row.ttft_ms.low, row.ttft_ms.high, cell_of(row.prefill_tok_s),
                       cell_of(row.decode_tok_s), cell_of(row.tpot_ms), row.gaps_ms.p50, row.gaps_ms.p99, row.streams_tok_s,
                       cell_of(row.hand_off_bytes), row.memory_bytes, cell_of(row.energy_j), cell_of(predicted.ttft_ms),
                       cell_of(predicted.prefill_tok_s), cell_of(predicted.decode_tok_s));
  }
  return out;
}

}  // namespace hearth::bench
