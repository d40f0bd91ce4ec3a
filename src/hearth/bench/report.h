#pragma once
// A run as one self-contained HTML page: the table, prefill and decode against context, the waterfall of
// one request, failures and findings, the environment. Pure.

#include <string>

#include "hearth/bench/rows.h"

namespace hearth::bench {

struct RunFacts {
  std::string name;
  std::string state;  // "done", "interrupted", "void: …"
  std::string started;  // for people
  Json environment;
};

std::string report_html(const RunFacts& run, const std::vector<Row>& rows);

}  // namespace hearth::bench
