#include "hearth/eval/study/scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "hearth/eval/grading/grader.h"
#include "hearth/eval/study/generation.h"

namespace hearth::eval {
namespace {

// More grades than this given up, and what is left is no sample of the answers any more.
constexpr double failed_share_max = 0.05;

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double one : values) sum += one;
  return sum / static_cast<double>(values.size());
}

bool is_outside(const upstream::EndpointSpec& endpoint) { return endpoint.reach == seal::Reach::remote; }

bool asks_as_now(const store::TaskRecord& record, const Suite& suite, const std::string& item_id) {
  const Item* item = suite.find(item_id);
  const auto* rubric = item ? std::get_if<RubricSpec>(&item->grader) : nullptr;
  const auto json = parse_json(record.task);
  if (!rubric || !json) return false;
  const auto task = read_judge_task(*json);
  return task && std::ranges::equal(task->criteria, rubric->criteria, [](const RubricSpec::Criterion& a, const RubricSpec::Criterion& b) {
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
  if (!file.judge->is_person && is_outside(file.judge->endpoint) && item.egress == Egress::deny) return "its egress is deny, and the judge is outside the house";
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
    if (parsed.role == Role::answer && asks_as_now(task, suite_, item_of[parsed.generation])) answer_tasks_[parsed.generation] = task.id;
    tasks_.emplace(task.id, Task{&task, std::move(parsed)});
  }
  for (const store::GradeRecord& grade : records_.grades) {
    // A second judge may come later; it changes no verdict, only what is known of the first.
    if (grade.judge != judge_) continue;
    for (const store::RoundRecord& round : records_.rounds) {
      if (round.map && round.round == round_of[grade.task] && grade.sequence > round.last_grade) graded_before_opening_ = false;
    }
  }
  return {};
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
    if (!item || arm == arm_digests.end() || record.arm_digest != arm->second || record.prompt_digest != prompt_digest(*item).hex()) continue;
    ScoredAnswer answer{.score = {}, .excused = false, .generation = &record, .task = {}};
    if (record.fault == "empty") {
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

std::vector<PromptScores> Scores::paired(const std::string& candidate, const std::string& reference, std::uint32_t generations) const {
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

std::vector<double> Scores::control_differences(Role role) const {
  std::vector<double> out;
  for (const auto& [id, task] : tasks_) {
    if (task.subject.role != role) continue;
    const auto changed = grade_of(id, judge_);
    const auto base = answer_grade(task.subject.generation, judge_);
    if (changed && base) out.push_back(*changed - *base);
  }
  return out;
}

// The reference's even and odd generations, prompt by prompt.
ControlPairs Scores::same_arm() const {
  ControlPairs out{ControlKind::same_arm, {}};
  const Arm& reference = file_.arms.front();
  for (const Item* item : items_of(reference)) {
    std::vector<double> halves[2];
    for (std::uint32_t k = 0; k < study_generations_max; ++k) {
      const ScoredAnswer* answer = find(item->id, reference.name, k);
      if (answer && answer->score) halves[k % 2].push_back(*answer->score);
    }
    if (!halves[0].empty() && !halves[1].empty()) out.differences.push_back(mean(halves[0]) - mean(halves[1]));
  }
  return out;
}

ControlPairs Scores::order() const {
  ControlPairs out{ControlKind::order, {}};
  std::map<std::pair<std::string, std::string>, double> leads;  // first, second
  for (const auto& [id, task] : tasks_) {
    const auto lead = grade_of(id, judge_);
    if (task.subject.role == Role::pair && lead) leads[{task.subject.generation, task.subject.second}] = *lead;
  }
  for (const auto& [pair, lead] : leads) {
    const auto turned = leads.find({pair.second, pair.first});
    if (turned != leads.end() && pair.first < pair.second) out.differences.push_back(0.5 * (lead + turned->second));
  }
  return out;
}

std::optional<ControlPairs> Scores::second_judge(const std::string& candidate, const std::string& reference) const {
  if (second_.empty()) return {};
  ControlPairs out{ControlKind::second_judge, {}};
  for (const Item& item : suite_.items) {
    double sum = 0, count = 0;
    for (std::uint32_t k = 0; k < checked_generations; ++k) {
      const ScoredAnswer* a = find(item.id, candidate, k);
      const ScoredAnswer* b = find(item.id, reference, k);
      if (!a || !b) continue;
      const auto a1 = answer_grade(a->generation->key, judge_), a2 = answer_grade(a->generation->key, second_);
      const auto b1 = answer_grade(b->generation->key, judge_), b2 = answer_grade(b->generation->key, second_);
      if (!a1 || !a2 || !b1 || !b2) continue;
      sum += (*a1 - *b1) - (*a2 - *b2);
      count += 1;
    }
    if (count > 0) out.differences.push_back(sum / count);
  }
  return out;
}

ControlPairs Scores::guess_arm(const std::string& candidate) const {
  struct Guesses {
    std::vector<double> candidate, reference;
  };
  std::map<std::string, Guesses> by_item;
  std::map<std::string, std::string> item_of;
  for (const auto& [key, answer] : answers_) item_of[answer.generation->key] = std::get<0>(key);
  for (const auto& [id, task] : tasks_) {
    if (task.subject.role != Role::guess || task.subject.candidate != candidate) continue;
    const auto guess = grade_of(id, judge_);
    const auto item = item_of.find(task.subject.generation);
    if (!guess || item == item_of.end()) continue;
    Guesses& guesses = by_item[item->second];
    (task.subject.is_candidates ? guesses.candidate : guesses.reference).push_back(*guess);
  }
  ControlPairs out{ControlKind::guess_arm, {}};
  for (const auto& [item, guesses] : by_item) {
    if (!guesses.candidate.empty() && !guesses.reference.empty()) out.differences.push_back(guess_advantage(guesses.candidate, guesses.reference));
  }
  return out;
}

std::vector<Control> Scores::bookkeeping() const {
  std::uint64_t planned = 0, present = 0, failed = 0;
  std::set<std::string> models;
  for (const auto& [id, task] : tasks_) {
    for (std::uint32_t repeat = 0; file_.judge && repeat < std::max(1u, file_.judge->repeats); ++repeat) ++planned;
    const auto grades = grades_.find({id, judge_});
    if (grades == grades_.end()) continue;
    for (const store::GradeRecord* grade : grades->second) {
      ++present;
      failed += grade->graded ? 0 : 1;
      if (!grade->model.empty()) models.insert(grade->model);
    }
  }
  std::vector<Control> out = {commitment_control(commitments_hold_, graded_before_opening_), completeness_control(planned, present)};
  const double share = present > 0 ? static_cast<double>(failed) / static_cast<double>(present) : 0;
  out.push_back({.name = "failed_grades",
                 .passed = share <= failed_share_max,
                 .detail = fmt::format("{} of {} grades were given up; at most {:.0f} % may be", failed, present, 100 * failed_share_max)});
  out.push_back({.name = "judge_model",
                 .passed = models.size() <= 1,
                 .detail = models.size() <= 1 ? "one model graded all" : fmt::format("{} models graded: {}", models.size(), fmt::join(models, ", "))});
  return out;
}

std::vector<Control> Scores::controls() const {
  std::vector<ControlPairs> pairs;
  std::vector<std::string> suffixes;  // of controls that exist once a comparison
  const auto add = [&](ControlPairs one, std::string suffix = "") {
    pairs.push_back(std::move(one));
    suffixes.push_back(std::move(suffix));
  };
  // With one generation an arm cannot be halved.
  if (ControlPairs halves = same_arm(); has_judged() || halves.differences.size() >= 2) add(std::move(halves));
  if (has_judged()) {
    add({ControlKind::duplicate, control_differences(Role::duplicate)});
    add({ControlKind::damaged, control_differences(Role::damaged)});
    add({ControlKind::padded, control_differences(Role::padded)});
    add({ControlKind::injected, control_differences(Role::injected)});
    add(order());
    for (std::size_t i = 1; i < file_.arms.size(); ++i) {
      const std::string suffix = file_.arms.size() > 2 ? " of " + file_.arms[i].name : "";
      if (auto second = second_judge(file_.arms[i].name, file_.arms[i - 1].name)) add(*std::move(second), suffix);
      add(guess_arm(file_.arms[i].name), suffix);
    }
  }
  std::vector<Control> out = check_controls(pairs);
  for (std::size_t i = 0; i < out.size(); ++i) {
    // Another model shows its style whatever is taken out: there the test documents that.
    if (pairs[i].kind == ControlKind::guess_arm && !file_.are_copies() && !out[i].passed) {
      out[i].passed = true;
      out[i].detail += "; different models can be told apart by style, which voids nothing";
    }
    out[i].name += suffixes[i];
  }
  if (has_judged()) {
    for (Control& one : bookkeeping()) out.push_back(std::move(one));
  }
  return out;
}

JudgeNoise Scores::noise() const {
  JudgeNoise out;
  double squares = 0, flips = 0, criteria = 0;
  for (const auto& [id, task] : tasks_) {
    if (task.subject.role != Role::duplicate) continue;
    const auto base = answer_tasks_.find(task.subject.generation);
    if (base == answer_tasks_.end()) continue;
    const auto first = grades_.find({base->second, judge_}), again = grades_.find({id, judge_});
    if (first == grades_.end() || again == grades_.end()) continue;
    const store::GradeRecord &a = *first->second.front(), &b = *again->second.front();
    if (!a.graded || !b.graded) continue;
    ++out.texts;
    squares += (a.value - b.value) * (a.value - b.value) / 2;
    const auto x = parse_json(a.answer), y = parse_json(b.answer);
    if (!x || !y) continue;
    const Json *of_a = x->find("criteria"), *of_b = y->find("criteria");
    for (std::size_t i = 0; of_a && of_b && i < std::min(of_a->as_array().size(), of_b->as_array().size()); ++i) {
      criteria += 1;
      flips += *of_a->as_array()[i].find("met") == *of_b->as_array()[i].find("met") ? 0 : 1;
    }
  }
  if (out.texts > 0) out.sigma = std::sqrt(squares / static_cast<double>(out.texts));
  if (criteria > 0) out.flip_rate = flips / criteria;
  return out;
}

std::optional<Agreement> Scores::agreement() const {
  if (second_.empty()) return {};
  Agreement out;
  double both[2][2] = {};
  std::vector<double> first, second;
  for (const auto& [generation, task] : answer_tasks_) {
    const auto a = grades_.find({task, judge_}), b = grades_.find({task, second_});
    if (a == grades_.end() || b == grades_.end() || !a->second.front()->graded || !b->second.front()->graded) continue;
    ++out.texts;
    first.push_back(a->second.front()->value);
    second.push_back(b->second.front()->value);
    const auto x = parse_json(a->second.front()->answer), y = parse_json(b->second.front()->answer);
    const Json* of_a = x ? x->find("criteria") : nullptr;
    const Json* of_b = y ? y->find("criteria") : nullptr;
    for (std::size_t i = 0; of_a && of_b && i < std::min(of_a->as_array().size(), of_b->as_array().size()); ++i) {
      both[of_a->as_array()[i].find("met")->as_bool() ? 1 : 0][of_b->as_array()[i].find("met")->as_bool() ? 1 : 0] += 1;
      ++out.criteria;
    }
  }
  if (out.texts == 0) return {};
  const auto n = static_cast<double>(std::max<std::size_t>(out.criteria, 1));
  out.same = (both[0][0] + both[1][1]) / n;
  const double yes_a = (both[1][0] + both[1][1]) / n, yes_b = (both[0][1] + both[1][1]) / n;
  const double chance = yes_a * yes_b + (1 - yes_a) * (1 - yes_b);
  out.kappa = chance < 1 ? (out.same - chance) / (1 - chance) : 1;
  const double mean_a = mean(first), mean_b = mean(second);
  double cross = 0, of_first = 0, of_second = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    cross += (first[i] - mean_a) * (second[i] - mean_b);
    of_first += (first[i] - mean_a) * (first[i] - mean_a);
    of_second += (second[i] - mean_b) * (second[i] - mean_b);
  }
  if (of_first > 0 && of_second > 0) out.correlation = cross / std::sqrt(of_first * of_second);
  return out;
}

}  // namespace hearth::eval
