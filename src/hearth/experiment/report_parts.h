#pragma once
// Parts of the report's page. Private to experiment.

#include <string>

#include "hearth/experiment/findings.h"

namespace hearth::experiment {

// Where the page has a result, and one row of it.
std::string evidence_anchor(const std::string& step);
std::string row_anchor(const std::string& step, std::size_t row);

// What adding machines did, against what was predicted; empty without measurements.
std::string comparisons_html(const Findings& findings);
// The plots, where the time went, and every row; empty without measurements.
std::string measurements_html(const Findings& findings);
// Every result whole, its rows each in a place of its own.
std::string evidence_html(const Findings& findings, const FindResult& results);

}  // namespace hearth::experiment
