#include "hearth/cli/bench_output.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/file.h"
#include "hearth/cli/bench_predict.h"
#include "hearth/cli/table.h"

namespace hearth::cli {
namespace {

std::string value(const bench::Spread& spread, int digits) {
  if (spread.samples == 0) return "-";
  std::string out = fmt::format("{:.{}f}", spread.median, digits);
  if (spread.samples > 1) out += fmt::format(" ±{:.0f} %", 100 * bench::noise_of(spread));
  return out;
}

std::string against(const std::optional<double>& predicted, const bench::Spread& measured) {
  const auto error = bench::error_of(predicted, measured);
  return error ? fmt::format("{:.4g} ({:+.0f} %)", *predicted, 100 * *error) : "-";
}

// Ours over the server's own, for whoever wants to trust one of them.
std::string agreement(const bench::Spread& ours, const bench::Spread& theirs) {
  return ours.samples == 0 || theirs.samples == 0 || theirs.median <= 0 ? "-" : fmt::format("{:+.1f} %", 100 * (ours.median / theirs.median - 1));
}

std::string reasons(const bench::Row& row) {
  std::string out;
  for (const auto& [reason, count] : row.failures) out += fmt::format("failed {}x, {}, {}: {}\n", count, row.target, bench::case_text(row.of), reason);
  if (row.predicted && !row.predicted->why_not.empty()) {
    out += fmt::format("not predicted, {}, {}: {}\n", row.target, bench::case_text(row.of), row.predicted->why_not);
  }
  for (const auto& [finding, count] : row.findings) out += fmt::format("odd {}x, {}, {}: {}\n", count, row.target, bench::case_text(row.of), finding);
  return out;
}

// How long loading took and how much memory it was at most, of workers that were started for the run.
std::string loads_text(const BenchResult& result) {
  const auto environment = parse_json(result.run.environment);
  const Json* targets = environment ? environment->find("targets") : nullptr;
  std::string out;
  if (targets == nullptr || !targets->is_array()) return out;
  for (const Json& target : targets->as_array()) {
    const auto name = get<std::string>(target, "name");
    const auto load_s = get<double>(target, "load_s");
    if (!name || !load_s) continue;
    std::uint64_t bytes = 0;
    for (const bench::Row& row : result.rows) {
      if (row.target == *name) bytes = std::max(bytes, row.memory_bytes);
    }
    out += fmt::format("loaded, {}: in {:.1f} s, {} of memory at most\n", *name, *load_s, human_bytes(static_cast<double>(bytes)));
  }
  return out;
}

std::string hand_off_text(const bench::Row& row) {
  if (row.hand_off_bytes.samples == 0) return "";
  std::string by;
  for (const auto& [machine, count] : row.prefilled_by) by += fmt::format(", read by {} in {} of {}", machine, count, row.samples);
  return fmt::format("hand-off, {}, {}: {}, {:.0f} % hidden, tail {:.0f} ms{}\n", row.target, bench::case_text(row.of), human_bytes(row.hand_off_bytes.median),
                     100 * row.hand_off_hidden_share.median, row.hand_off_tail_ms.median, by);
}

}  // namespace

std::string started_text(const store::BenchRun& run) {
  return fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(static_cast<std::time_t>(run.started_s)));
}

// Measured in turn, shown as they were named: the first target is what others are held against.
void sort_as_named(BenchResult& result) {
  const auto environment = parse_json(result.run.environment);
  const Json* targets = environment ? environment->find("targets") : nullptr;
  if (targets == nullptr || !targets->is_array()) return;
  const auto place = [&](const bench::Row& row) {
    const auto& list = targets->as_array();
    return std::ranges::find_if(list, [&](const Json& one) { return get<std::string>(one, "name") == row.target; }) - list.begin();
  };
  std::ranges::stable_sort(result.rows, {}, place);
}

Result<BenchResult> load_run(store::BenchRows& rows, std::string_view which) {
  BenchResult out{.run = TRY(rows.find(which)), .rows = {}};
  bench::RowMaker maker;
  TRY(rows.samples(out.run.id, [&](const std::string& text) -> Result<> {
    maker.add(TRY(bench::parse_sample(text)));
    return {};
  }));
  out.rows = maker.rows();
  sort_as_named(out);
  const Json plan = TRY(parse_json(out.run.plan));
  const Json* predicted = plan.find("predicted");
  if (predicted == nullptr) return out;
  const auto predictions = TRY(parse_predictions(*predicted));
  for (bench::Row& row : out.rows) {
    if (const bench::Predicted* one = find_prediction(predictions, row.target, row.of)) row.predicted = *one;
  }
  return out;
}

Json result_json(const BenchResult& result) {
  Json rows = Json::array();
  for (const bench::Row& row : result.rows) rows.push(bench::row_json(row));
  return Json::object({{"run", result.run.id}, {"name", result.run.name}, {"state", result.run.state}, {"started_s", result.run.started_s},
                       {"samples", result.run.samples}, {"rows", std::move(rows)},
                       {"environment", parse_json(result.run.environment).value_or(Json())}});
}

std::string result_text(const BenchResult& result) {
  std::string out = fmt::format("run {} '{}', {}, begun {}, {} requests\n", result.run.id, result.run.name, result.run.state, started_text(result.run), result.run.samples);
  Table table({"target", "case", ">n", ">first token ms", ">prefill tok/s", ">decode tok/s", ">gap p99 ms", ">all streams tok/s", ">prefill / its own", ">decode / its own", ">predicted ms", ">predicted tok/s"});
  for (const bench::Row& row : result.rows) {
    const bench::Predicted predicted = row.predicted.value_or(bench::Predicted{});
    table.add({row.target, bench::case_text(row.of), std::to_string(row.samples), value(row.ttft_ms, 1), value(row.prefill_tok_s, 0), value(row.decode_tok_s, 1),
               fmt::format("{:.1f}", row.gaps_ms.p99), row.streams_tok_s > 0 ? fmt::format("{:.1f}", row.streams_tok_s) : "-",
               agreement(row.prefill_tok_s, row.server_prefill_tok_s), agreement(row.decode_tok_s, row.server_decode_tok_s),
               against(predicted.ttft_ms, row.ttft_ms), against(predicted.decode_tok_s, row.decode_tok_s)});
  }
  out += table.text();
  out += loads_text(result);
  for (const bench::Row& row : result.rows) out += hand_off_text(row) + reasons(row);
  return out;
}

Result<> write_text_file(const std::filesystem::path& file, const std::string& text) {
  const ByteSpan bytes = as_byte_span(text);
  return real_file_system()->write_atomically(file, std::span(&bytes, 1), Durability::survives_process);
}

Result<> write_report(const BenchResult& result, const std::filesystem::path& html) {
  const bench::RunFacts facts{.name = result.run.name, .state = result.run.state, .started = started_text(result.run),
                              .environment = parse_json(result.run.environment).value_or(Json())};
  return write_text_file(html, bench::report_html(facts, result.rows));
}

}  // namespace hearth::cli
