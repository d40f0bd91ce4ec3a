#pragma once
// The report's part on items: each with its prompt and the arms' texts side by side. Pure; private to
// report/.

#include <string>

#include "hearth/eval/report/report.h"
#include "hearth/eval/study/scores.h"

namespace hearth::eval {

std::string items_html(const Suite& suite, const ArmsFile& file, const StudyRecords& records, const Scores& scores,
                       const ReportOptions& options);

}  // namespace hearth::eval
