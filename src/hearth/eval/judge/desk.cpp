#include "hearth/eval/judge/desk.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace hearth::eval {

Result<std::unique_ptr<GradingDesk>> GradingDesk::open(const ArmsFile& file, store::StudyStore& records) {
  const bool all = file.judge && file.judge->is_person;
  const bool some = file.second_judge && file.second_judge->is_person;
  if (!all && !some) {
    return fail(
        Code::invalid_argument,
        "nobody is asked to grade: the arms file has person = true neither under [judge] nor under [second_judge]");
  }
  std::set<std::string> graded;
  for (const store::GradeRecord& one : TRY(records.grades())) {
    if (one.judge == JudgeSpec{.is_person = true}.id()) graded.insert(one.task);
  }
  std::vector<store::TaskRecord> tasks;
  std::size_t done = 0;
  for (const store::RoundRecord& round : TRY(records.rounds())) {
    for (store::TaskRecord& task : TRY(records.tasks(round.round))) {
      const bool wanted = all ? !round.map : task.for_second;
      if (!wanted) continue;
      if (graded.contains(task.id)) ++done;
      else tasks.push_back(std::move(task));
    }
  }
  auto out = std::unique_ptr<GradingDesk>(new GradingDesk(records, std::move(tasks)));
  out->done_ = done;
  return out;
}

Result<GradingDesk::Place> GradingDesk::next() {
  const std::lock_guard hold(mutex_);
  Place out{.done = done_, .total = done_ + tasks_.size(), .id = {}, .task = {}};
  if (tasks_.empty()) return out;
  out.id = tasks_.front().id;
  const Json json = TRY(parse_json(tasks_.front().task));
  out.task = TRY(read_judge_task(json));
  return out;
}

Result<> GradingDesk::grade(std::string_view id, std::string_view answer, std::int64_t now_s) {
  const std::lock_guard hold(mutex_);
  const auto found = std::ranges::find(tasks_, id, &store::TaskRecord::id);
  if (found == tasks_.end())
    return fail(Code::invalid_argument, "no such task is waiting; it may have been graded in another window");
  const Json json = TRY(parse_json(found->task));
  const JudgeTask task = TRY(read_judge_task(json));
  const auto read = read_judge_answer(task, answer);
  if (!read) return fail(Code::invalid_argument, read.error().detail);
  const std::string person = JudgeSpec{.is_person = true}.id();
  TRY(records_.add_grade({.task = found->id,
                          .judge = person,
                          .repeat = 0,
                          .task_digest = found->digest,
                          .copy = found->copy,
                          .graded = true,
                          .value = read->value,
                          .answer = std::string(answer),
                          .model = person,
                          .graded_s = now_s,
                          .is_sealed = found->is_sealed}));
  tasks_.erase(found);
  ++done_;
  return {};
}

void GradingDesk::skip(std::string_view id) {
  const std::lock_guard hold(mutex_);
  const auto found = std::ranges::find(tasks_, id, &store::TaskRecord::id);
  if (found != tasks_.end()) std::rotate(found, found + 1, tasks_.end());
}

}  // namespace hearth::eval
