#pragma once
// From the records of a study to the scores that the statistics work on, after its rounds were opened:
// who got which score, what the controls' differences are, what is missing and why. Pure.
//
// A record counts if its prompt and its arm are those of now; anything else was made for something
// else. Repeats of the judge are averaged; a grade that was given up is excused, counted and shown.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hearth/eval/blind/blind_map.h"
#include "hearth/eval/blind/round.h"
#include "hearth/eval/controls.h"
#include "hearth/eval/statistics/paired.h"
#include "hearth/eval/study/arms_file.h"
#include "hearth/eval/suite/load.h"
#include "hearth/store/study.h"

namespace hearth::eval {

// All records of a study, read once.
struct StudyRecords {
  std::vector<store::GenerationRecord> generations;
  std::vector<store::ScoreRecord> scores;
  std::vector<store::RoundRecord> rounds;
  std::vector<store::TaskRecord> tasks;
  std::vector<store::GradeRecord> grades;
  std::vector<store::EventRecord> events;
};
Result<StudyRecords> read_records(const store::StudyStore& store);

struct ScoredAnswer {
  std::optional<double> score;  // nothing: not graded yet, or given up
  bool excused = false;  // every grade of it was given up
  const store::GenerationRecord* generation = nullptr;
  std::string task;  // opaque id; empty where no judge is needed
};

struct JudgeNoise {
  double sigma = 0;  // of one grade, from texts graded twice
  double flip_rate = 0;  // of criteria
  std::size_t texts = 0;
};

struct Agreement {
  std::size_t texts = 0, criteria = 0;
  double same = 0;  // share of criteria
  double kappa = 0;  // Cohen's
  double correlation = 0;  // of scores
};

class Scores {
 public:
  // All arguments outlive it.
  static Result<Scores> make(const Suite& suite, const ArmsFile& file, const StudyRecords& records);

  // nullptr: there is no such generation.
  const ScoredAnswer* find(const std::string& item, const std::string& arm, std::uint32_t k) const;
  // Of items that both arms may have, k below `generations`. Prompts of which an arm has no score at
  // all are left out.
  std::vector<PromptScores> paired(const std::string& candidate, const std::string& reference,
                                   std::uint32_t generations) const;
  // Do both arms have all of them, graded or excused?
  bool complete(const std::string& arm, std::uint32_t generations) const;
  std::vector<const Item*> items_of(const Arm& arm) const;

  // All that the grading so far can be checked by.
  std::vector<Control> controls() const;
  JudgeNoise noise() const;
  // Of the judge with the second one, where both graded.
  std::optional<Agreement> agreement() const;
  // Texts that the second judge, a person, has still to grade. Until then nothing is final, and the
  // control second_judge is not looked at.
  std::size_t waits_for_person() const;
  bool has_judged() const { return !records_.tasks.empty(); }

 private:
  struct Task {
    const store::TaskRecord* record;
    Subject subject;
  };
  Scores(const Suite& suite, const ArmsFile& file, const StudyRecords& records)
      : suite_(suite), file_(file), records_(records) {}
  Result<> read_rounds();
  bool nothing_to_judge(const Item& item, const store::GenerationRecord& record) const;
  void read_generations();
  void add_grades();
  std::optional<double> grade_of(const std::string& task, const std::string& judge) const;
  std::optional<double> answer_grade(const std::string& generation, const std::string& judge) const;
  std::vector<double> control_differences(Role role) const;
  ControlPairs same_arm() const;
  ControlPairs order() const;
  std::optional<ControlPairs> second_judge(const std::string& candidate, const std::string& reference) const;
  ControlPairs guess_arm(const std::string& candidate) const;
  std::vector<Control> bookkeeping() const;

  const Suite& suite_;
  const ArmsFile& file_;
  const StudyRecords& records_;
  std::string judge_, second_;
  bool commitments_hold_ = true, graded_before_opening_ = true;
  std::map<std::tuple<std::string, std::string, std::uint32_t>, ScoredAnswer> answers_;  // item, arm, k
  std::map<std::string, Task> tasks_;  // of opened rounds, by id
  std::map<std::pair<std::string, std::string>, std::vector<const store::GradeRecord*>> grades_;  // task, judge
  std::map<std::string, std::string> answer_tasks_;  // generation to task
};

// Why an item may not be put to an arm, or graded at all; empty: it may.
std::string exclusion(const Item& item, const Arm& arm, const ArmsFile& file);

}  // namespace hearth::eval
