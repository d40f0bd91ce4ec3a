#pragma once
// Pieces of HTML from plain values. Every text is escaped here and nowhere else. Pure; private to report/.

#include <string>
#include <string_view>
#include <vector>

#include "hearth/eval/comparison.h"

namespace hearth::eval {

std::string escaped(std::string_view text);
std::string points_text(double share);  // "+1.2"
std::string percent_text(double share);  // "97 %"
// Cells are HTML already; a title that begins with '>' is a column of numbers.
std::string table_html(const std::vector<std::string>& titles, const std::vector<std::vector<std::string>>& rows);
// The estimate, its 95 % interval, no difference, and the margin, on one line in points.
std::string interval_svg(const Comparison& comparison);
std::string badge(std::string_view kind, std::string_view text);  // kind: good, bad, unsure

}  // namespace hearth::eval
