#include "hearth/eval/report/markup.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hearth::eval {

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string points_text(double share) { return fmt::format("{:+.1f}", 100 * share); }
std::string percent_text(double share) { return fmt::format("{:.0f} %", 100 * share); }

std::string table_html(const std::vector<std::string>& titles, const std::vector<std::vector<std::string>>& rows) {
  std::string out = "<div class=\"wide\"><table><thead><tr>";
  for (const std::string& title : titles) {
    const bool number = title.starts_with('>');
    out += fmt::format("<th{}>{}</th>", number ? " class=\"number\"" : "", escaped(number ? title.substr(1) : title));
  }
  out += "</tr></thead><tbody>";
  for (const std::vector<std::string>& row : rows) {
    out += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += fmt::format("<td{}>{}</td>", i < titles.size() && titles[i].starts_with('>') ? " class=\"number\"" : "",
                         row[i]);
    }
    out += "</tr>";
  }
  return out + "</tbody></table></div>\n";
}

std::string interval_svg(const Comparison& c) {
  constexpr double width = 720, height = 96, left = 20, right = 700, middle = 48;
  const double low = c.absolute.ci95.low, high = c.absolute.ci95.high, estimate = c.absolute.estimate.difference;
  const double reach = 1.15 * std::max({std::abs(low), std::abs(high), std::abs(estimate), c.margin * 1.5, 0.01});
  const auto x = [&](double value) {
    return left + (std::clamp(value, -reach, reach) + reach) / (2 * reach) * (right - left);
  };
  std::string out = fmt::format(
      "<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"difference {} points, 95 % interval {} to {}\">",
      width, height, points_text(estimate), points_text(low), points_text(high));
  out += fmt::format("<rect class=\"worse\" x=\"{:.1f}\" y=\"18\" width=\"{:.1f}\" height=\"58\"/>", left,
                     x(-c.margin) - left);
  out += fmt::format("<line class=\"axis\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", left, middle,
                     right, middle);
  // One below and one above: with a small margin they would stand on each other.
  const auto mark = [&](double value, std::string_view kind, const std::string& text, double text_y) {
    out += fmt::format(
        "<line class=\"{}\" x1=\"{:.1f}\" y1=\"18\" x2=\"{:.1f}\" y2=\"76\"/><text x=\"{:.1f}\" y=\"{}\">{}</text>",
        kind, x(value), x(value), x(value), text_y, text);
  };
  mark(0, "zero", "no difference", 91);
  mark(-c.margin, "margin", fmt::format("margin {}", points_text(-c.margin)), 12);
  out += fmt::format("<line class=\"interval\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", x(low),
                     middle, x(high), middle);
  out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"6\"/>", x(estimate), middle);
  out += fmt::format("<text x=\"{:.1f}\" y=\"38\">{}</text>", x(estimate), points_text(estimate));
  return out + "</svg>\n";
}

std::string badge(std::string_view kind, std::string_view text) {
  return fmt::format("<span class=\"badge {}\">{}</span>", kind, escaped(text));
}

}  // namespace hearth::eval
