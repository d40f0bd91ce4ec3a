#pragma once
// A study as one HTML file that needs nothing else: the verdict in plain words first, then intervals,
// classes, controls, costs, every item with its texts side by side, and what was registered. Nothing is
// fetched, nothing is sent. Pure: the same records give the same bytes.
//
// Texts stand under opaque ids until their round was opened. What is said of items that must not leave the
// house is figures; their texts are in it only when asked for, and then it says so.

#include <string>

#include "hearth/eval/study/outcome.h"

namespace hearth::eval {

inline constexpr std::size_t shown_bytes_max = 12'000;  // of one text

struct ReportOptions {
  bool denied_texts = false;  // of items with egress = "deny"
};
Result<std::string> report_html(const Suite& suite, const ArmsFile& file, const StudyRecords& records,
                                const StudyOutcome& outcome, const ReportOptions& options = {});

}  // namespace hearth::eval
