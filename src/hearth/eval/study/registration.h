#pragma once
// What is written down before the first generation, and what was done differently. Pure but for
// register_study().
//
// Margin, looks, alpha, weights, the arms' names and order, and the judge are pinned: another value is
// another study. Items and the particulars of arms may change: their old records do not count any more,
// and the change is recorded as a deviation that the report shows.

#include <string>
#include <vector>

#include "hearth/eval/study/arms_file.h"
#include "hearth/eval/suite/load.h"
#include "hearth/store/study.h"

namespace hearth::eval {

Json registration_json(const Suite& suite, const ArmsFile& file);
// Of the pinned part.
Digest256 registration_digest(const Json& registration);
// Lines such as "item code/merge-shifts was edited"; empty: as registered.
std::vector<std::string> deviations(const Json& registered, const Json& now);

// Writes the registration if there is none, else checks this one against it and records deviations.
// invalid_argument, naming the first pinned field that differs.
Result<> register_study(const Suite& suite, const ArmsFile& file, store::StudyStore& records, std::int64_t now_s);

// nullopt: nothing is registered.
Result<std::optional<Json>> registered(const std::vector<store::EventRecord>& events);

// Each class of the items that are left needs two clusters: invalid_argument otherwise.
Result<> check_study(const Suite& suite, const ArmsFile& file);

// The plan with a guard for each class: alarm where items only pass or fail.
Result<ComparisonPlan> study_comparison_plan(const Suite& suite, const ArmsFile& file);

}  // namespace hearth::eval
