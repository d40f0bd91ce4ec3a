#include "hearth/eval/study/scores.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/eval/blind/identity.h"
#include "hearth/eval/grading/grader.h"
#include "hearth/eval/study/generation.h"

namespace hearth::eval {
namespace {

bool is_outside(const upstream::EndpointSpec& endpoint) { return endpoint.reach == seal::Reach::remote; }

bool asks_as_now(const store::TaskRecord& record, const Suite& suite, const std::string& item_id) {
  const Item* item = suite.find(item_id);
  const auto* rubric = item ? std::get_if<RubricSpec>(&item->grader) : nullptr;
  const auto json = parse_json(record.task);
  if (!rubric || !json) return false;
  const auto task = read_judge_task(*json);
  return task && std::ranges::equal(task->criteria, rubric->criteria,
                                    [](const RubricSpec::Criterion& a, const RubricSpec::Criterion& b) {
                                      return a.id == b.id && a.text == b.text && a.weight == b.weight;
                                    });
}

}  // namespace

Result<StudyRecords> read_records(const store::StudyStore& store) {
  StudyRecords out;
  out.generations = TRY(store.generations());
  out.scores = TRY(store.scores());
  out.rounds = TRY(store.rounds());
  for (const store::RoundRecord& round : out.rounds) {
    for (store::TaskRecord& task : TRY(store.tasks(round.round))) out.tasks.push_back(std::move(task));
  }
  out.grades = TRY(store.grades());
  out.events = TRY(store.events());
  return out;
}

std::string exclusion(const Item& item, const Arm& arm, const ArmsFile& file) {
  if (is_outside(arm.endpoint) && item.egress != Egress::open) {
    return fmt::format("its egress is {}, and arm {} is outside the house", egress_name(item.egress), arm.name);
  }
  if (!needs_judge(item.grader)) return "";
  if (!file.judge) return "its rubric needs a judge, and the arms file names none";
  if (!file.judge->is_person && is_outside(file.judge->endpoint) && item.egress == Egress::deny)
    return "its egress is deny, and the judge is outside the house";
  return "";
}

Result<Scores> Scores::make(const Suite& suite, const ArmsFile& file, const StudyRecords& records) {
  Scores out(suite, file, records);
  if (file.judge) out.judge_ = file.judge->id();
  if (file.second_judge) out.second_ = file.second_judge->id();
  for (const store::GradeRecord& grade : records.grades) out.grades_[{grade.task, grade.judge}].push_back(&grade);
  TRY(out.read_rounds());
  out.read_generations();
  out.add_grades();
  return out;
}

Result<> Scores::read_rounds() {
  std::map<std::uint32_t, BlindMap> maps;
  for (const store::RoundRecord& round : records_.rounds) {
    if (!round.map) continue;
    BlindMap map = TRY(parse_blind_map(*round.map));
    if (commitment(map).hex() != round.commitment) commitments_hold_ = false;
    maps.emplace(round.round, std::move(map));
  }
  std::map<std::string, std::uint32_t> round_of;
  std::map<std::string, std::string> item_of;
  for (const store::GenerationRecord& one : records_.generations) item_of[one.key] = one.item;
  for (const store::TaskRecord& task : records_.tasks) {
    round_of[task.id] = task.round;
    const auto map = maps.find(task.round);
    if (map == maps.end()) continue;
    const std::string* subject = map->second.subject_of(task.id);
    if (!subject) {
      commitments_hold_ = false;
      continue;
    }
    Subject parsed = TRY(parse_subject(*subject));
    // Graded by criteria that were edited since: those grades are of something else.
    if (parsed.role == Role::answer && asks_as_now(task, suite_, item_of[parsed.generation]))
      answer_tasks_[parsed.generation] = task.id;
    tasks_.emplace(task.id, Task{&task, std::move(parsed)});
  }
  for (const store::GradeRecord& grade : records_.grades) {
    // A second judge may come later; it changes no verdict, only what is known of the first.
    if (grade.judge != judge_) continue;
    for (const store::RoundRecord& round : records_.rounds) {
      if (round.map && round.round == round_of[grade.task] && grade.sequence > round.last_grade)
        graded_before_opening_ = false;
    }
  }
  return {};
}

// Of an answer that was cut while it was still thinking a judge would see nothing, and is not asked.
bool Scores::nothing_to_judge(const Item& item, const store::GenerationRecord& record) const {
  return needs_judge(item.grader) && strip_identity(record.output, file_.secrets()).text.empty();
}

void Scores::read_generations() {
  std::map<std::pair<std::string, std::string>, const store::ScoreRecord*> scores;
  for (const store::ScoreRecord& score : records_.scores) {
    if (score.grader_version == grader_version) scores[{score.generation, score.item_digest}] = &score;
  }
  std::map<std::string, std::string> arm_digests;
  for (const Arm& arm : file_.arms) arm_digests[arm.name] = arm.digest().hex();
  for (const store::GenerationRecord& record : records_.generations) {
    const Item* item = suite_.find(record.item);
    const auto arm = arm_digests.find(record.arm);
    if (!item || arm == arm_digests.end() || record.arm_digest != arm->second ||
        record.prompt_digest != prompt_digest(*item).hex())
      continue;
    ScoredAnswer answer{.score = {}, .excused = false, .generation = &record, .task = {}};
    if (record.fault == "empty" || nothing_to_judge(*item, record)) {
      answer.score = 0.0;
    } else if (!needs_judge(item->grader)) {
      const auto found = scores.find({record.key, item_digest(*item).hex()});
      if (found != scores.end()) answer.score = found->second->score;
    }
    answers_[{record.item, record.arm, record.k}] = std::move(answer);
  }
}

void Scores::add_grades() {
  for (auto& [key, answer] : answers_) {
    const auto task = answer_tasks_.find(answer.generation->key);
    if (answer.score || task == answer_tasks_.end()) continue;
    answer.task = task->second;
    answer.score = grade_of(task->second, judge_);
    const auto grades = grades_.find({task->second, judge_});
    answer.excused = !answer.score && grades != grades_.end();
  }
}

std::optional<double> Scores::grade_of(const std::string& task, const std::string& judge) const {
  const auto found = grades_.find({task, judge});
  if (found == grades_.end()) return {};
  double sum = 0, count = 0;
  for (const store::GradeRecord* grade : found->second) {
    if (!grade->graded) continue;
    sum += grade->value;
    count += 1;
  }
  if (count == 0) return {};
  return sum / count;
}

std::optional<double> Scores::answer_grade(const std::string& generation, const std::string& judge) const {
  const auto task = answer_tasks_.find(generation);
  if (task == answer_tasks_.end()) return {};
  return grade_of(task->second, judge);
}

const ScoredAnswer* Scores::find(const std::string& item, const std::string& arm, std::uint32_t k) const {
  const auto found = answers_.find({item, arm, k});
  return found == answers_.end() ? nullptr : &found->second;
}

std::vector<const Item*> Scores::items_of(const Arm& arm) const {
  std::vector<const Item*> out;
  for (const Item& item : suite_.items) {
    if (exclusion(item, arm, file_).empty()) out.push_back(&item);
  }
  return out;
}

std::vector<PromptScores> Scores::paired(const std::string& candidate, const std::string& reference,
                                         std::uint32_t generations) const {
  std::vector<PromptScores> out;
  const Arm* a = file_.find(candidate);
  const Arm* b = file_.find(reference);
  for (const Item& item : suite_.items) {
    if (!exclusion(item, *a, file_).empty() || !exclusion(item, *b, file_).empty()) continue;
    PromptScores one{.prompt = item.id,
                     .prompt_class = std::string(class_name(item.task_class)),
                     .cluster = item.cluster == item.id ? "" : item.cluster,
                     .candidate = {},
                     .reference = {}};
    for (std::uint32_t k = 0; k < generations; ++k) {
      const ScoredAnswer* of_candidate = find(item.id, candidate, k);
      const ScoredAnswer* of_reference = find(item.id, reference, k);
      if (of_candidate && of_candidate->score) one.candidate.push_back(*of_candidate->score);
      if (of_reference && of_reference->score) one.reference.push_back(*of_reference->score);
    }
    if (!one.candidate.empty() && !one.reference.empty()) out.push_back(std::move(one));
  }
  return out;
}

bool Scores::complete(const std::string& arm, std::uint32_t generations) const {
  for (const Item* item : items_of(*file_.find(arm))) {
    for (std::uint32_t k = 0; k < generations; ++k) {
      const ScoredAnswer* answer = find(item->id, arm, k);
      if (!answer || (!answer->score && !answer->excused)) return false;
    }
  }
  return true;
}

}  // namespace hearth::eval
