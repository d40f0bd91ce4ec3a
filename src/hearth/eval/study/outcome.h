#pragma once
// What a study says: the decision over its records, and all that a report shows beside it. Pure; the
// same records give the same outcome.

#include <optional>
#include <string>
#include <vector>

#include "hearth/eval/decision.h"
#include "hearth/eval/study/divergence_evidence.h"
#include "hearth/eval/study/scores.h"
#include "hearth/eval/study/standing.h"
#include "hearth/store/verdicts.h"

namespace hearth::eval {

struct ArmCosts {
  std::string arm;
  std::size_t generations = 0, empty = 0, loops = 0, cut = 0, retried = 0;
  std::size_t scored = 0;  // answers up to the look that the first comparison is at; before the first: none
  double score = 0;        // their plain mean; the comparisons pair and weigh
  double answer_tokens = 0, hours = 0, usd = 0;
  std::string engine_build;  // of its latest answer
};

struct JudgeCosts {
  std::string judge;  // its name, or "person"
  std::size_t grades = 0, from_cache = 0, failed = 0, quotes_missing = 0;
  double usd = 0, hours = 0;
};

struct StudyOutcome {
  Decision decision;  // no comparison: nothing can be said yet
  Standing standing;
  bool is_final = false;  // decided or void: no generation is wanted any more
  std::vector<ClassClaim> claims;  // of the last comparison, where the arms are different models
  JudgeNoise noise;
  std::optional<Agreement> agreement;
  std::vector<ArmCosts> arms;
  std::vector<JudgeCosts> judges;
  std::string registration;  // digest
  std::vector<std::string> deviations;
  std::vector<std::string> left_out;  // items, with the reason
  std::vector<std::string> ignored;   // evidence that does not belong here
};

Result<StudyOutcome> study_outcome(const Suite& suite, const ArmsFile& file, const StudyRecords& records,
                                   const DivergenceEvidence& divergence = {});

Json outcome_json(const StudyOutcome& outcome);

// For whoever routes: one for each class and arm. Nothing from a void or unfinished study.
std::vector<store::ClassVerdict> class_verdicts(const Suite& suite, const ArmsFile& file, const StudyRecords& records,
                                                const StudyOutcome& outcome, std::int64_t now_s);

}  // namespace hearth::eval
