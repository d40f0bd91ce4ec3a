// The part of the page that shows measurements. Every number links to the row it comes from.
#include <fmt/format.h>

#include <algorithm>

#include "hearth/experiment/report_parts.h"
#include "hearth/plan/output/plot.h"

namespace hearth::experiment {
namespace {

using plan::escaped;

constexpr std::size_t series_max = 4;  // the page's style has so many colours

std::string linked(const MeasuredRow& row, const std::string& text) {
  return fmt::format(R"(<a href="#{}">{}</a>)", row_anchor(row.step, row.index), text);
}

std::string rounded(double value) { return value >= 1000 ? fmt::format("{:.0f}", value) : fmt::format("{:.4g}", value); }

// "812 <small>790…841</small>"
std::string number(const MeasuredRow& row, const Measure& measure) {
  if (!measure.value) return "–";
  std::string out = linked(row, rounded(*measure.value));
  if (measure.low && measure.high && *measure.low < *measure.high) {
    out += fmt::format(" <small>{}…{}</small>", rounded(*measure.low), rounded(*measure.high));
  }
  return out;
}

std::string predicted(const MeasuredRow& row, const Measure& measure) {
  if (!measure.predicted) return "–";
  std::string out = linked(row, rounded(*measure.predicted));
  if (const auto error = measure.error()) out += fmt::format(" <small>{:+.0f} %</small>", 100 * *error);
  return out;
}

std::string ratio_text(const MeasuredRow& row, const std::optional<Ratio>& ratio) {
  if (!ratio) return "–";
  std::string out = linked(row, fmt::format("{:.3f}", ratio->value)) + fmt::format(" <small>{:.2f}…{:.2f}</small>", ratio->low, ratio->high);
  if (ratio->is_noise()) out += " <small>noise</small>";
  return out;
}

std::string predicted_ratio(const std::optional<Ratio>& ratio) { return ratio && ratio->predicted ? fmt::format("{:.3f}", *ratio->predicted) : "–"; }

// Context against a rate, a line for each target of each step.
std::string plot(const Findings& findings, std::string_view title, Measure MeasuredRow::* measure) {
  std::vector<plan::Series> series;
  for (const MeasuredRow& row : findings.rows) {
    const auto& value = (row.*measure).value;
    if (!value || *value <= 0 || row.streams > 1 || row.prompt_tokens + row.depth <= 0) continue;
    const std::string name = row_name(row);
    auto found = std::ranges::find(series, name, &plan::Series::name);
    if (found == series.end()) {
      if (series.size() == series_max) continue;
      series.push_back({.name = name, .points = {}});
      found = std::prev(series.end());
    }
    found->points.emplace_back(row.prompt_tokens + row.depth, *value);
  }
  for (plan::Series& one : series) std::ranges::sort(one.points);
  const std::string svg = plan::plot_svg(title, "tok/s", series);
  return svg.empty() ? "" : "<div>" + svg + plan::plot_legend(series) + "</div>";
}

// A bar for each row: prefill, what of the hand-off nothing hid, decode.
std::string time_bars(const Findings& findings) {
  double longest_ms = 0;
  std::string rows;
  const auto total = [](const TimeSplit& split) { return split.prefill_ms + split.hand_off_ms + split.decode_ms; };
  for (const MeasuredRow& row : findings.rows) {
    if (row.split) longest_ms = std::max(longest_ms, total(*row.split));
  }
  if (longest_ms <= 0) return "";
  for (const MeasuredRow& row : findings.rows) {
    if (!row.split || total(*row.split) <= 0) continue;
    const auto part = [&](int color, double ms, std::string_view what) {
      return ms <= 0 ? "" : fmt::format(R"(<i class="s{}" style="width:{:.2f}%" title="{} {:.0f} ms"></i>)", color, 100 * ms / longest_ms, what, ms);
    };
    const auto percent = [&](double ms) { return fmt::format("{:.0f} %", 100 * ms / total(*row.split)); };
    rows += fmt::format("<tr><td>{}<td class=n>{:.0f}<td class=n>{:.0f}<td class=bar>{}{}{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}",
                        escaped(row_name(row)), row.prompt_tokens, row.depth, part(0, row.split->prefill_ms, "prefill"),
                        part(1, row.split->hand_off_ms, "hand-off"), part(2, row.split->decode_ms, "decode"), linked(row, rounded(total(*row.split))),
                        percent(row.split->prefill_ms), percent(row.split->hand_off_ms), percent(row.split->decode_ms));
  }
  return "<h3>Where the time of an answer goes</h3><ul class=\"legend row\"><li><span class=s0></span>prefill<li><span class=s1></span>hand-off that nothing "
         "hid<li><span class=s2></span>decode</ul><div class=wide><table><tr><th>target<th class=n>prompt<th class=n>depth<th class=bar><th class=n>all, ms"
         "<th class=n>prefill<th class=n>hand-off<th class=n>decode" + rows + "</table></div>";
}

std::string all_rows(const Findings& findings) {
  std::string out = "<h3>Every row</h3><p class=soft>Medians; small, the interval that holds the true one. Predictions are the plan's, small, predicted / measured − 1.</p>"
                    "<div class=wide><table><tr><th>target<th class=n>prompt<th class=n>depth<th class=n>first token, ms<th class=n>predicted"
                    "<th class=n>prefill, tok/s<th class=n>predicted<th class=n>decode, tok/s<th class=n>predicted<th class=n>failed";
  for (const MeasuredRow& row : findings.rows) {
    out += fmt::format("<tr><td>{}<td class=n>{:.0f}{}<td class=n>{:.0f}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}",
                       escaped(row_name(row)), row.prompt_tokens, row.streams > 1 ? fmt::format(" × {:.0f}", row.streams) : "", row.depth,
                       number(row, row.ttft_ms), predicted(row, row.ttft_ms), number(row, row.prefill_tok_s), predicted(row, row.prefill_tok_s),
                       number(row, row.decode_tok_s), predicted(row, row.decode_tok_s), row.failures);
  }
  return out + "</table></div>";
}

}  // namespace

std::string comparisons_html(const Findings& findings) {
  std::string out;
  if (!findings.comparisons.empty()) {
    out += "<h2>Faster or slower?</h2><ul>";
    for (const Comparison& one : findings.comparisons) out += "<li>" + escaped(comparison_sentence(findings.rows, one));
    out += "</ul><p class=soft>Against the first target of the same run; the first of a run against the first of all. Below: first token under 1 is sooner, decode "
           "over 1 is faster.</p><div class=wide><table><tr><th>target<th>against<th class=n>prompt<th class=n>depth<th class=n>first token ×"
           "<th class=n>predicted<th class=n>decode ×<th class=n>predicted";
    for (const Comparison& one : findings.comparisons) {
      const MeasuredRow &row = findings.rows[one.row], &baseline = findings.rows[one.baseline];
      out += fmt::format("<tr><td>{}<td>{}<td class=n>{:.0f}<td class=n>{:.0f}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}", escaped(row_name(row)),
                         linked(baseline, escaped(row_name(baseline))), row.prompt_tokens, row.depth, ratio_text(row, one.ttft), predicted_ratio(one.ttft),
                         ratio_text(row, one.decode), predicted_ratio(one.decode));
    }
    out += "</table></div>";
  }
  if (const std::string sentence = prediction_sentence(findings.rows); !sentence.empty()) out += "<p>" + escaped(sentence) + "</p>";
  return out;
}

std::string measurements_html(const Findings& findings) {
  if (findings.rows.empty()) return "";
  return "<h2>Measurements</h2><div class=plots>" + plot(findings, "Prefill against context", &MeasuredRow::prefill_tok_s) +
         plot(findings, "Decode against context", &MeasuredRow::decode_tok_s) + "</div>" + time_bars(findings) + all_rows(findings);
}

}  // namespace hearth::experiment
