#pragma once
// Answers for people and for programs. Pure: text in, nothing printed here.

#include <span>
#include <string>

#include "hearth/base/json.h"
#include "hearth/plan/explain.h"

namespace hearth::plan {

// The document of `hearth plan --json`; docs/plan.md lists its members.
Json answer_json(const Answer& answer);
Json answers_json(std::span<const Answer> answers);

// For a terminal of 100 columns.
std::string answer_text(const Answer& answer);
// Several quantisations or workloads of one model on one cluster: a table of verdicts first, then
// each answer in full for the first workload.
std::string answers_text(std::span<const Answer> answers);

// One self-contained page, plots included, readable in light and dark.
std::string answers_html(std::span<const Answer> answers);

}  // namespace hearth::plan
