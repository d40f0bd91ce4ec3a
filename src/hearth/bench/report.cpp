#include "hearth/bench/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/plan/output/plot.h"

namespace hearth::bench {
namespace {

using plan::escaped;
using plan::Series;

constexpr const char* style = R"(<style>
:root{color-scheme:light dark;--ink:#1d1f23;--paper:#fff;--grid:#d9dce1;--s0:#3366cc;--s1:#cc5522;--s2:#2a8a4a;--s3:#8844aa;--s4:#8a6d00}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--paper:#16181c;--grid:#3a3e45;--s0:#7aa2ff;--s1:#ff9a66;--s2:#66cc88;--s3:#c79aff;--s4:#e0c050}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:72rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.2rem .7rem;border-bottom:1px solid var(--grid);text-align:right}
td{white-space:nowrap}td:first-child,th:first-child,td:nth-child(2),th:nth-child(2){text-align:left}small{opacity:.75}.wide{overflow-x:auto}
figure{margin:1rem 0}svg{max-width:36rem;width:100%}svg text{fill:var(--ink);font-size:11px}.grid{stroke:var(--grid)}polyline{fill:none;stroke-width:2}
.s0{stroke:var(--s0)}.s1{stroke:var(--s1)}.s2{stroke:var(--s2)}.s3{stroke:var(--s3)}circle.s0,rect.s0{fill:var(--s0)}
circle.s1,rect.s1{fill:var(--s1)}circle.s2,rect.s2{fill:var(--s2)}circle.s3,rect.s3{fill:var(--s3)}rect.s4{fill:var(--s4)}pre{white-space:pre-wrap}
ul.legend{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:0 1rem}ul.legend span{display:inline-block;width:.8rem;height:.8rem;margin-right:.4rem}
span.s0{background:var(--s0)}span.s1{background:var(--s1)}span.s2{background:var(--s2)}span.s3{background:var(--s3)}span.s4{background:var(--s4)}
</style>)";

std::string value(const Spread& spread, const char* format) {
  if (spread.samples == 0) return "–";
  const auto text = [&](double number) { return fmt::format(fmt::runtime(format), number); };
  std::string out = text(spread.median);
  if (spread.samples > 1) out += fmt::format(" <small>{}…{}</small>", text(spread.low), text(spread.high));
  return out;
}

std::string error_text(const std::optional<double>& predicted, const Spread& measured) {
  const auto error = error_of(predicted, measured);
  return error ? fmt::format("{:.0f} <small>({:+.0f} %)</small>", *predicted, 100 * *error) : "–";
}

// Ours over what the target says itself.
std::string against_own(const Spread& ours, const Spread& theirs) {
  return ours.samples == 0 || theirs.samples == 0 || theirs.median <= 0 ? "–" : fmt::format("{:+.1f} %", 100 * (ours.median / theirs.median - 1));
}

// Who was measured: what it runs, how long loading took where we saw it, the most memory.
std::string targets(const Json& environment, const std::vector<Row>& rows) {
  const Json* list = environment.find("targets");
  if (list == nullptr || !list->is_array()) return "";
  std::string out = "<h2>Targets</h2><div class=\"wide\"><table><tr><th>target<th>kind<th>model<th>build<th>loaded in, s<th>memory, MB</tr>\n";
  for (const Json& target : list->as_array()) {
    const auto text = [&](const char* key) { return get<std::string>(target, key).value_or(""); };
    const auto load_s = get<double>(target, "load_s");
    std::uint64_t memory_bytes = 0;
    for (const Row& row : rows) {
      if (row.target == text("name")) memory_bytes = std::max(memory_bytes, row.memory_bytes);
    }
    out += fmt::format("<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}</tr>\n", escaped(text("name")), escaped(text("kind")), escaped(text("model")), escaped(text("build")),
                       load_s ? fmt::format("{:.1f}", *load_s) : "–", memory_bytes > 0 ? fmt::format("{:.0f}", static_cast<double>(memory_bytes) / 1e6) : "–");
  }
  return out + "</table></div>\n";
}

// "spark in 5 of 6": the others were read where they were answered, or by another worker there.
std::string machines(const Row& row) {
  std::string out;
  for (const auto& [machine, count] : row.prefilled_by) out += fmt::format("{}{} in {} of {}", out.empty() ? "" : ", ", machine, count, row.samples);
  return out.empty() ? "the same machine" : out;
}

std::string hand_offs(const std::vector<Row>& rows) {
  std::string out;
  for (const Row& row : rows) {
    if (row.hand_off_bytes.samples == 0) continue;
    out += fmt::format("<tr><td>{}<td>{}<td>{}<td>{:.2f}<td>{:.0f} %<td>{}</tr>\n", escaped(row.target), escaped(case_text(row.of)),
                       escaped(machines(row)), row.hand_off_bytes.median / 1e6, 100 * row.hand_off_hidden_share.median, value(row.hand_off_tail_ms, "{:.1f}"));
  }
  if (out.empty()) return "";
  return "<h2>Hand-offs</h2><p>KV that another worker or machine computed. Hidden: the share of its transfer behind the computation; tail: from the end of "
         "the computation to the last import.</p><div class=\"wide\"><table><tr><th>target<th>case<th>prompt read by<th>MB<th>hidden<th>tail, ms</tr>\n" + out + "</table></div>\n";
}

// What the medians are made of.
std::string raw_requests(const std::vector<Row>& rows) {
  std::string out;
  for (const Row& row : rows) {
    if (row.raw.empty()) continue;
    out += fmt::format("<details><summary>{}, {}: {} requests</summary><table><tr><th>repeat<th><th>first token, ms<th>all, ms<th>prompt<th>cached<th>answer</tr>\n",
                       escaped(row.target), escaped(case_text(row.of)), row.raw.size());
    for (const RawRequest& one : row.raw) {
      out += fmt::format("<tr><td>{}<td><td>{:.2f}<td>{:.2f}<td>{}<td>{}<td>{}</tr>\n", one.repeat, one.ttft_ms, one.total_ms, one.prompt_tokens, one.cached_tokens, one.answer_tokens);
    }
    out += "</table></details>\n";
  }
  return out.empty() ? "" : "<h2>Raw requests</h2>\n" + out;
}

std::string table(const std::vector<Row>& rows) {
  const bool has_predictions = std::ranges::any_of(rows, [](const Row& row) { return row.predicted.has_value(); });
  std::string out = "<div class=\"wide\"><table><tr><th>target<th>case<th>samples<th>failed<th>first token, ms<th>prefill, tok/s<th>decode, tok/s"
                    "<th>gap p50 / p99, ms<th>prefill / its own<th>decode / its own";
  out += has_predictions ? "<th>predicted first token, ms<th>predicted prefill, tok/s<th>predicted decode, tok/s</tr>\n" : "</tr>\n";
  for (const Row& row : rows) {
    std::size_t failed = 0;
    for (const auto& [reason, count] : row.failures) failed += count;
    const Predicted predicted = row.predicted.value_or(Predicted{});
    out += fmt::format("<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{:.1f} / {:.1f}<td>{}<td>{}", escaped(row.target), escaped(case_text(row.of)),
                       row.samples, failed, value(row.ttft_ms, "{:.0f}"), value(row.prefill_tok_s, "{:.0f}"), value(row.decode_tok_s, "{:.1f}"),
                       row.gaps_ms.p50, row.gaps_ms.p99, against_own(row.prefill_tok_s, row.server_prefill_tok_s),
                       against_own(row.decode_tok_s, row.server_decode_tok_s));
    if (has_predictions) {
      out += fmt::format("<td>{}<td>{}<td>{}", error_text(predicted.ttft_ms, row.ttft_ms), error_text(predicted.prefill_tok_s, row.prefill_tok_s),
                         error_text(predicted.decode_tok_s, row.decode_tok_s));
    }
    out += "</tr>\n";
  }
  return out + "</table></div>\n";
}

// One line a target: `rate` against the context at which it was measured.
std::vector<Series> series_of(const std::vector<Row>& rows, Spread Row::* rate) {
  std::vector<Series> out;
  for (const Row& row : rows) {
    if (row.of.streams != 1 || row.of.workload != "fixed" || (row.*rate).samples == 0 || (row.*rate).median <= 0) continue;
    auto series = std::ranges::find(out, row.target, &Series::name);
    if (series == out.end()) {
      out.push_back({row.target, {}});
      series = out.end() - 1;
    }
    series->points.emplace_back(std::max(1U, row.of.depth + row.of.prompt_tokens), (row.*rate).median);
  }
  for (Series& one : out) std::ranges::sort(one.points);
  return out;
}

// Rates by depth: of several requests at one depth the median, so that a line is one.
std::vector<std::pair<double, double>> medians_along(const std::vector<DepthRate>& along) {
  std::map<double, std::vector<double>> at_depth;
  for (const DepthRate& rate : along) at_depth[std::max(1.0, rate.depth)].push_back(rate.tok_s);
  std::vector<std::pair<double, double>> out;
  for (auto& [depth, rates] : at_depth) out.emplace_back(depth, quantile(std::move(rates), 0.5));
  return out;
}

std::vector<Series> series_along(const std::vector<Row>& rows) {
  std::vector<Series> out;
  for (const Row& row : rows) {
    if (row.of.streams != 1 || row.along.size() < 2) continue;
    auto series = std::ranges::find(out, row.target, &Series::name);
    if (series == out.end()) {
      out.push_back({row.target, {}});
      series = out.end() - 1;
    }
    // Of several prompts the longest shows most.
    if (!series->points.empty() && series->points.back().first > row.along.back().depth) continue;
    series->points = medians_along(row.along);
  }
  return out;
}

constexpr std::string_view waterfall_legend =
    "<h2>One request, to its first token</h2><ul class=\"legend\"><li><span class=s3></span>waiting<li><span class=s0></span>reading, chunk by chunk"
    "<li><span class=s1></span>transfer that no reading hid<li><span class=s2></span>import of what came last<li><span class=s4></span>the first token</ul>\n";

// What the target does not tell apart is within what it tells of.
std::string not_told(const Waterfall& fall) {
  std::string out;
  const auto add = [&](bool is_told, std::string_view what) {
    if (!is_told) out += fmt::format("{}{}", out.empty() ? "" : ", ", what);
  };
  add(fall.queue_ms.has_value(), "waiting");
  add(fall.read.size() > 1, "chunks of the reading");
  add(fall.tail_ms <= 0 || fall.import_ms, "import apart from transfer");
  add(fall.first_token_ms.has_value(), "the first token");
  return out.empty() ? "" : fmt::format("<small>Not told: {}.</small>", out);
}

// Bars from left to right: waiting, each piece that was read, what the hand-off left to do, the first token.
std::string waterfall_svg(const Row& row) {
  const Waterfall& fall = *row.waterfall;
  constexpr double width = 700, height = 64, top = 12, bar = 24;
  const double scale = fall.ttft_ms > 0 ? width / fall.ttft_ms : 0;
  std::string out = fmt::format("<figure><figcaption>{}, {}: {:.0f} ms to the first token</figcaption><svg style=\"max-width:48rem\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\">",
                                escaped(row.target), escaped(case_text(row.of)), fall.ttft_ms, width, height);
  const auto rect = [&](double from_ms, double to_ms, int color, const std::string& title) {
    out += fmt::format("<rect class=\"s{}\" x=\"{:.1f}\" y=\"{:.0f}\" width=\"{:.1f}\" height=\"{:.0f}\" stroke=\"var(--paper)\"><title>{}</title></rect>", color,
                       from_ms * scale, top, std::max(0.5, (to_ms - from_ms) * scale), bar, title);
  };
  const double read_begin_ms = fall.queue_ms.value_or(0), read_end_ms = fall.read_end_ms(), tail_end_ms = read_end_ms + fall.tail_ms;
  const double import_ms = fall.import_ms.value_or(0), import_begin_ms = tail_end_ms - import_ms;
  if (read_begin_ms > 0) rect(0, read_begin_ms, 3, fmt::format("waiting, {:.0f} ms", read_begin_ms));
  for (std::size_t i = 1; i < fall.read.size(); ++i) {
    rect(fall.read[i - 1].at_ms, fall.read[i].at_ms, 0, fmt::format("tokens {} to {}, {:.0f} ms", fall.read[i - 1].tokens, fall.read[i].tokens, fall.read[i].at_ms - fall.read[i - 1].at_ms));
  }
  if (fall.read.size() < 2) rect(read_begin_ms, read_end_ms, 0, fmt::format("reading, {:.0f} ms", read_end_ms - read_begin_ms));
  if (fall.tail_ms > import_ms) {
    rect(read_end_ms, import_begin_ms, 1, fmt::format("{}, {:.1f} ms", fall.import_ms ? "transfer" : "transfer and import", fall.tail_ms - import_ms));
  }
  if (import_ms > 0) rect(import_begin_ms, tail_end_ms, 2, fmt::format("import, {:.1f} ms", import_ms));
  if (fall.first_token_ms.value_or(0) > 0) rect(tail_end_ms, fall.ttft_ms, 4, fmt::format("the first token, {:.1f} ms", *fall.first_token_ms));
  return out + fmt::format("<text x=\"0\" y=\"{:.0f}\">0 ms</text><text x=\"{:.0f}\" y=\"{:.0f}\" text-anchor=\"end\">{:.0f} ms</text></svg>{}</figure>\n", height - 10, width, height - 10, fall.ttft_ms,
                           not_told(fall));
}

std::string reasons(const std::vector<Row>& rows) {
  std::string out;
  for (const Row& row : rows) {
    for (const auto& [reason, count] : row.failures) out += fmt::format("<li>{}, {}: failed {} times: {}</li>\n", escaped(row.target), escaped(case_text(row.of)), count, escaped(reason));
    for (const auto& [finding, count] : row.findings) out += fmt::format("<li>{}, {}: {} times: {}</li>\n", escaped(row.target), escaped(case_text(row.of)), count, escaped(finding));
  }
  return out.empty() ? "" : "<h2>What went wrong, and what is odd</h2><ul>\n" + out + "</ul>\n";
}

}  // namespace

std::string report_html(const RunFacts& run, const std::vector<Row>& rows) {
  std::string out = fmt::format("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{}</title>{}\n"
                                "<h1>{}</h1><p>{}, begun {}. Medians; beside them the interval that holds the true one (95 % from six samples on).</p>\n",
                                escaped(run.name), style, escaped(run.name), escaped(run.state), escaped(run.started));
  out += table(rows);
  out += targets(run.environment, rows);
  for (const auto& [title, rate] : {std::pair("Prefill against context", &Row::prefill_tok_s), std::pair("Decode against context", &Row::decode_tok_s)}) {
    const auto series = series_of(rows, rate);
    const std::string plot = plan::plot_svg(title, "tok/s", series);
    if (!plot.empty()) out += plot + plan::plot_legend(series);
  }
  const auto along = series_along(rows);
  const std::string plot = plan::plot_svg("Prefill along one prompt", "tok/s", along);
  if (!plot.empty()) out += plot + plan::plot_legend(along);
  std::vector<std::string> shown;
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {  // the longest case of each target
    if (!row->waterfall || std::ranges::find(shown, row->target) != shown.end()) continue;
    if (shown.empty()) out += waterfall_legend;
    shown.push_back(row->target);
    out += waterfall_svg(*row);
  }
  out += hand_offs(rows) + reasons(rows) + raw_requests(rows);
  return out + "<h2>Environment</h2><pre>" + escaped(dump_json(run.environment, 2)) + "</pre></html>\n";
}

}  // namespace hearth::bench
