#pragma once
// Runs an answer's code on every case, each in a sandbox of its own, and compares what it observed with what
// is expected here, outside: the expected values are in no process that the answer can reach. Where a check
// of the item decides, it runs in another sandbox, with the observed values as its input.

#include "hearth/eval/grading/grader.h"

namespace hearth::eval {

Result<Grade> grade_code(const CodeSpec& spec, std::string_view answer, const Sandbox& sandbox, const StopToken& stop);

}  // namespace hearth::eval
