#pragma once
// What the verbs over a study share: where it lies, what it is about, and how its services are reached.
// A study's folder holds study.db, the sealed maps, and study.json, which names suite and arms file.

#include <memory>

#include "hearth/cli/command_line.h"
#include "hearth/cli/eval_services.h"
#include "hearth/eval/study/study_run.h"

namespace hearth::cli {

struct StudyPlace {
  std::filesystem::path folder = "study";
  std::filesystem::path suite;  // empty: the one that ships
  std::filesystem::path arms;
};

struct OpenStudy {
  StudyPlace place;
  eval::Suite suite;
  eval::ArmsFile file;
  std::unique_ptr<store::StudyStore> records;
  FileDescriptor lock;  // of the verb that begins or continues
};

// For the verb that begins or continues: suite and arms as given, and remembered for the others. unavailable
// while another process does so.
Result<OpenStudy> begin_study(const StudyPlace& place);
// For the others: as the last run had it.
Result<OpenStudy> reopen_study(const std::filesystem::path& folder);

// Sandbox, files and clock of this machine; `stop` and `study` outlive it.
class StudyMachine {
 public:
  explicit StudyMachine(OpenStudy& study);
  ~StudyMachine();
  Result<> prepare();  // opens the sandbox where an item is code
  eval::StudyParts parts();

 private:
  OpenStudy& study_;
  EvalServices services_;
  std::unique_ptr<FileSystem> files_;
  std::unique_ptr<eval::Sandbox> sandbox_;
};

std::int64_t now_seconds();  // since 1970

Verb eval_run_verb(StopToken stop);
Verb eval_decide_verb();
Verb eval_report_verb();
Verb eval_grade_verb(StopToken stop);

}  // namespace hearth::cli
