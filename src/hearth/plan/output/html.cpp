#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hearth/plan/output/layout.h"
#include "hearth/plan/output/output.h"

namespace hearth::plan {
namespace {

constexpr std::size_t lines_per_plot_max = 4;
constexpr double plot_width = 520;
constexpr double plot_height = 260;
constexpr double margin_left = 62;
constexpr double margin_bottom = 40;
constexpr double margin_top = 14;
constexpr double margin_right = 14;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

// Both axes logarithmic: contexts span two decades and so do seconds.
class Plot {
 public:
  Plot(std::string title, std::string unit, std::vector<Series> series)
      : title_(std::move(title)), unit_(std::move(unit)), series_(std::move(series)) {
    for (const Series& s : series_) {
      for (const auto& [x, y] : s.points) {
        x_low_ = std::min(x_low_, x);
        x_high_ = std::max(x_high_, x);
        y_low_ = std::min(y_low_, y);
        y_high_ = std::max(y_high_, y);
      }
    }
    y_low_ = std::pow(10, std::floor(std::log10(y_low_)));
    y_high_ = std::pow(10, std::ceil(std::log10(y_high_) + 1e-9));
  }

  std::string svg() const {
    if (series_.empty() || x_high_ <= x_low_) return "";
    std::string out = fmt::format(
        "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" "
        "aria-label=\"{}\">\n",
        escaped(title_), plot_width, plot_height, escaped(title_));
    out += axes();
    for (std::size_t i = 0; i < series_.size(); ++i) out += line(i);
    return out + "</svg>" + legend() + "</figure>\n";
  }

 private:
  double x_at(double x) const {
    return margin_left + (plot_width - margin_left - margin_right) * std::log(x / x_low_) /
                             std::log(x_high_ / x_low_);
  }
  double y_at(double y) const {
    return margin_top + (plot_height - margin_top - margin_bottom) *
                            (1 - std::log(y / y_low_) / std::log(y_high_ / y_low_));
  }
  std::string axes() const {
    std::string out;
    for (double y = y_low_; y <= y_high_ * 1.001; y *= 10) {
      out += fmt::format(
          "<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
          "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{:g} {}</text>\n",
          margin_left, plot_width - margin_right, y_at(y), y_at(y), margin_left - 6, y_at(y) + 4, y,
          unit_);
    }
    for (double x = x_low_; x <= x_high_ * 1.001; x *= 4) {
      out +=
          fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", x_at(x),
                      plot_height - margin_bottom + 18, tokens_text(static_cast<std::uint64_t>(x)));
    }
    return out +
           fmt::format(
               "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">tokens of context</text>\n",
               (margin_left + plot_width) / 2, plot_height - 4);
  }
  std::string line(std::size_t i) const {
    std::string points;
    for (const auto& [x, y] : series_[i].points)
      points += fmt::format("{:.1f},{:.1f} ", x_at(x), y_at(y));
    std::string out = fmt::format("<polyline class=\"s{}\" points=\"{}\"/>\n", i, points);
    for (const auto& [x, y] : series_[i].points) {
      out += fmt::format(
          "<circle class=\"s{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"><title>{}: {} {} at {} "
          "tokens</title></circle>\n",
          i, x_at(x), y_at(y), escaped(series_[i].name), rate_text(y), unit_,
          tokens_text(static_cast<std::uint64_t>(x)));
    }
    return out;
  }
  std::string legend() const {
    std::string out = "<ul class=\"legend\">";
    for (std::size_t i = 0; i < series_.size(); ++i) {
      out += fmt::format("<li><span class=\"s{}\"></span>{}</li>", i, escaped(series_[i].name));
    }
    return out + "</ul>";
  }

  std::string title_;
  std::string unit_;
  std::vector<Series> series_;
  double x_low_ = 1e300, x_high_ = 0, y_low_ = 1e300, y_high_ = 1e-300;
};

constexpr std::string_view style = R"(
:root { color-scheme: light dark; --text: #1c1e21; --back: #fdfdfc; --soft: #5c6470; --line: #d9dce1;
  --good: #1a7f37; --bad: #b3261e; --s0: #1f6feb; --s1: #c2570c; --s2: #1a7f37; --s3: #8250df; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8eb; --back: #16181c; --soft: #9aa3af;
  --line: #363b43; --good: #56d364; --bad: #ff7b72; --s0: #79b8ff; --s1: #ffa657; --s2: #56d364; --s3: #d2a8ff; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back);
  max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1.5rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.93rem; }
.wide { overflow-x: auto; }
th, td { text-align: left; padding: 0.3rem 0.7rem 0.3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.soft, figcaption, small { color: var(--soft); } .go { color: var(--good); } .no { color: var(--bad); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 1rem; }
figure { margin: 0; } svg { width: 100%; height: auto; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; } .grid { stroke: var(--line); }
polyline { fill: none; stroke-width: 2; }
polyline.s0, circle.s0 { stroke: var(--s0); } polyline.s1, circle.s1 { stroke: var(--s1); }
polyline.s2, circle.s2 { stroke: var(--s2); } polyline.s3, circle.s3 { stroke: var(--s3); }
circle { fill: var(--back); stroke-width: 2; }
.legend { list-style: none; padding: 0; margin: 0.3rem 0; font-size: 0.85rem; }
.legend span { display: inline-block; width: 1rem; height: 0.2rem; margin-right: 0.5rem; vertical-align: middle; }
span.s0 { background: var(--s0); } span.s1 { background: var(--s1); } span.s2 { background: var(--s2); } span.s3 { background: var(--s3); }
)";

std::string plan_label(const Answer& a, std::size_t i) {
  return fmt::format("{}. {}: {}", i + 1, family_name(a.result.plans[i].family),
                     placement_text(a.question.cluster, a.result.plans[i]));
}

std::string plots(const Answer& a) {
  std::vector<Series> cold, turn, decode, prefill;
  for (std::size_t i = 0; i < std::min(lines_per_plot_max, a.result.plans.size()); ++i) {
    const Plan& plan = a.result.plans[i];
    if (plan.curve.empty()) continue;
    const std::string name = plan_label(a, i);
    for (std::vector<Series>* s : {&cold, &turn, &decode, &prefill}) s->push_back({name, {}});
    for (const CurvePoint& p : plan.curve) {
      const double x = static_cast<double>(p.context_tokens);
      cold.back().points.emplace_back(x, p.cold_ttft_s);
      turn.back().points.emplace_back(x, p.turn_ttft_s);
      decode.back().points.emplace_back(x, p.decode_tok_s);
      prefill.back().points.emplace_back(x, p.prefill_tok_s);
    }
  }
  return "<div class=\"plots\">\n" +
         Plot("Seconds to the first token, nothing cached", "s", cold).svg() +
         Plot("Seconds to the first token of a turn at that depth", "s", turn).svg() +
         Plot("Decoding, tokens per second", "tok/s", decode).svg() +
         Plot("Prefill of a turn, tokens per second", "tok/s", prefill).svg() + "</div>\n";
}

std::string range_cell(const std::optional<Interval>& interval, bool seconds) {
  if (!interval) return "<td>unknown</td>";
  const auto text = [&](double v) { return seconds ? seconds_text(v) : rate_text(v); };
  return fmt::format("<td>{}<br><small>{} to {}</small></td>", text(interval->p50),
                     text(interval->low), text(interval->high));
}

std::string plans_table(const Answer& a) {
  std::string out =
      "<div class=\"wide\"><table><tr><th></th><th>plan</th><th>first token</th><th>prefill "
      "tok/s</th>"
      "<th>decode tok/s</th><th>turn</th><th>context</th><th>runs on</th></tr>\n";
  for (std::size_t i = 0; i < a.result.plans.size(); ++i) {
    const Plan& plan = a.result.plans[i];
    std::string runs;
    for (const EngineFit& fit_of : a.engines[i]) {
      if (fit_of.can_run()) runs += (runs.empty() ? "" : ", ") + fit_of.engine;
    }
    out += fmt::format("<tr><td>{}</td><td><b>{}</b><br><small>{}; KV {}, ubatch {}</small></td>",
                       i + 1, family_name(plan.family),
                       escaped(placement_text(a.question.cluster, plan)), kv_type_name(plan.kv),
                       plan.ubatch);
    out += range_cell(plan.ttft_s, true) + range_cell(plan.prefill_tok_s, false) +
           range_cell(plan.decode_tok_s, false) + range_cell(plan.turn_s, true);
    out += fmt::format("<td>{}</td><td>{}</td></tr>\n", tokens_text(plan.max_context),
                       runs.empty() ? "nothing yet" : escaped(runs));
  }
  return out + "</table></div>\n";
}

std::string list(std::string_view title, const std::vector<std::string>& items) {
  if (items.empty()) return "";
  std::string out = fmt::format("<h3>{}</h3>\n<ul>\n", escaped(title));
  for (const std::string& item : items) out += "<li>" + escaped(item) + "</li>\n";
  return out + "</ul>\n";
}

std::string section(const Answer& a) {
  const Workload& w = a.question.workload;
  std::string out = fmt::format("<h2>{} {} · {}</h2>\n", escaped(a.question.card.name),
                                escaped(a.question.card.variant), escaped(w.name));
  out += fmt::format(
      "<p class=\"soft\">{}: prompt {} tokens, {} of them new, {} written, {} stream{}. {} of "
      "weights. {}</p>\n",
      escaped(w.title), w.prompt_tokens, w.new_tokens(), w.output_tokens, w.streams,
      w.streams == 1 ? "" : "s", gb_text(static_cast<double>(total_bytes(a.question.card))),
      escaped(a.question.card.note));
  out += fmt::format("<p><b class=\"{}\">{}</b>: {}.</p>\n", a.verdict.go ? "go" : "no",
                     a.verdict.go ? "Go" : "No go", escaped(a.verdict.why));
  if (!a.result.plans.empty()) out += plans_table(a) + plots(a);
  std::vector<std::string> items;
  for (const Rejected& r : a.result.rejected)
    items.push_back(fmt::format("{}: {}", family_name(r.family), r.reason));
  for (const Dominated& d : a.result.dominated) {
    items.push_back(fmt::format("{}: works ({} a turn), but {} is better", family_name(d.family),
                                seconds_text(d.turn_s), d.by));
  }
  out += list("Impossible, or nowhere best", items);
  items.clear();
  for (const PoolEffect& e : a.pool_effects) {
    items.push_back(fmt::format("{} {} (with {}, without {} tok/s)",
                                a.question.cluster.nodes[e.node].name, e.verdict,
                                e.decode_tok_s_with ? rate_text(*e.decode_tok_s_with) : "–",
                                e.decode_tok_s_without ? rate_text(*e.decode_tok_s_without) : "–"));
  }
  out += list("One model over several machines: what each does to decoding", items);
  items.clear();
  for (const Marginal& m : a.marginal) {
    items.push_back(fmt::format(
        "{}: {}", m.without.empty() ? "with " + m.with : "without " + m.without, m.effect));
  }
  out += list("What each part is worth", items);
  if (!a.sensitivity.empty()) out += "<p>" + escaped(a.sensitivity) + "</p>\n";
  return out;
}

}  // namespace

std::string answers_html(std::span<const Answer> answers) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<title>Hearth plan</title><style>" +
      std::string(style) + "</style></head><body>\n<h1>Hearth plan</h1>\n";
  if (!answers.empty()) {
    out +=
        "<div class=\"wide\"><table><tr><th>machine</th><th>hardware</th><th>usable "
        "memory</th><th>bandwidth</th><th>storage</th></tr>\n";
    for (const Node& node : answers.front().question.cluster.nodes) {
      out += fmt::format(
          "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.0f} GB/s</td><td>{}</td></tr>\n",
          escaped(node.name), escaped(node.hardware.empty() ? "by numbers" : node.hardware),
          gb_text(static_cast<double>(node.usable_bytes)), node.bandwidth_gb_s,
          node.storage_read_gb_s ? fmt::format("{:.1f} GB/s", *node.storage_read_gb_s)
                                 : "not known");
    }
    out +=
        "</table></div>\n<p class=\"soft\">Every number is a prediction: the median, and below it "
        "the range that holds in four of five cases. "
        "<code>hearth plan --accuracy</code> shows how wrong such predictions have been.</p>\n";
  }
  for (const Answer& a : answers) out += section(a);
  return out + "</body></html>\n";
}

}  // namespace hearth::plan
