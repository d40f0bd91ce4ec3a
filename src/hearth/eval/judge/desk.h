#pragma once
// A person's desk: which task comes next, and what becomes of the answer. The same blinding as for a
// judge that is a service: ids, texts and criteria, in random order, and nothing else.
//
// Thread-safe: one thread at a time gets at the records.

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "hearth/eval/judge/protocol.h"
#include "hearth/eval/study/arms_file.h"
#include "hearth/store/study.h"

namespace hearth::eval {

class GradingDesk {
 public:
  // What the person is asked for: all of a round under way if the judge is a person, or the second
  // judge's part of all rounds. invalid_argument if the arms file names no person. `records` outlives it.
  static Result<std::unique_ptr<GradingDesk>> open(const ArmsFile& file, store::StudyStore& records);

  struct Place {
    std::size_t done = 0, total = 0;
    std::optional<std::string> id;  // of the task that comes next; nothing: all are graded
    JudgeTask task;
  };
  Result<Place> next();
  // `answer` as a judge would write it. invalid_argument, with what is missing, if it is no grade, or if
  // the task is not there or was graded before.
  Result<> grade(std::string_view id, std::string_view answer, std::int64_t now_s);
  // Leaves the task for later: it comes again after all others.
  void skip(std::string_view id);

 private:
  GradingDesk(store::StudyStore& records, std::vector<store::TaskRecord> tasks)
      : records_(records), tasks_(std::move(tasks)) {}

  std::mutex mutex_;
  store::StudyStore& records_;
  std::vector<store::TaskRecord> tasks_;  // not graded yet; the first comes next
  std::size_t done_ = 0;
};

}  // namespace hearth::eval
