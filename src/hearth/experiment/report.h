#pragma once
// An experiment as a result to be read: the question, what was predicted, what happened, what each
// topology cost against the first one, the decision, and what was not established. Numbers link to the
// documents they come from, beside the page. Pure.

#include "hearth/experiment/page.h"
#include "hearth/experiment/run.h"

namespace hearth::experiment {

void write_report(const Standing& standing, Page& page);

}  // namespace hearth::experiment
