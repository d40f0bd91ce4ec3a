// The controls of Scores: what known answers came out as.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "hearth/eval/study/scores.h"

namespace hearth::eval {
namespace {

// More grades than this given up, and what is left is no sample of the answers any more.
constexpr double failed_share_max = 0.05;
constexpr double same_mean = 1e-12;  // of grades from 0 to 1

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double one : values) sum += one;
  return sum / static_cast<double>(values.size());
}

}  // namespace

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
    if (halves[0].empty() || halves[1].empty()) continue;
    // Equal grades have equal means but for the last bits, which all lean one way and would look like a difference.
    const double difference = mean(halves[0]) - mean(halves[1]);
    out.differences.push_back(std::abs(difference) < same_mean ? 0 : difference);
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

std::size_t Scores::waits_for_person() const {
  if (!file_.second_judge || !file_.second_judge->is_person) return 0;
  return static_cast<std::size_t>(std::ranges::count_if(records_.tasks, [&](const store::TaskRecord& task) {
    return task.for_second && !grades_.contains({task.id, second_});
  }));
}

std::optional<ControlPairs> Scores::second_judge(const std::string& candidate, const std::string& reference) const {
  if (second_.empty() || waits_for_person() > 0) return {};
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
    if (!guesses.candidate.empty() && !guesses.reference.empty())
      out.differences.push_back(guess_advantage(guesses.candidate, guesses.reference));
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
  std::vector<Control> out = {commitment_control(commitments_hold_, graded_before_opening_),
                              completeness_control(planned, present)};
  const double share = present > 0 ? static_cast<double>(failed) / static_cast<double>(present) : 0;
  out.push_back({.name = "failed_grades",
                 .passed = share <= failed_share_max,
                 .detail = fmt::format("{} of {} grades were given up; at most {:.0f} % may be", failed, present,
                                       100 * failed_share_max)});
  out.push_back({.name = "judge_model",
                 .passed = models.size() <= 1,
                 .detail = models.size() <= 1
                               ? "one model graded all"
                               : fmt::format("{} models graded: {}", models.size(), fmt::join(models, ", "))});
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
  if (file_.settings.generations >= 2) add(same_arm());
  if (has_judged()) {
    add({ControlKind::duplicate, control_differences(Role::duplicate)});
    add({ControlKind::damaged, control_differences(Role::damaged)});
    add({ControlKind::padded, control_differences(Role::padded)});
    add({ControlKind::injected, control_differences(Role::injected)});
    // An arm that says nothing at all cannot be compared or guessed; then nothing of it was asked.
    const auto asked = [&](Role role, const std::string& candidate) {
      return std::ranges::any_of(tasks_, [&](const auto& one) {
        return one.second.subject.role == role && one.second.subject.candidate == candidate;
      });
    };
    if (std::ranges::any_of(file_.arms, [&](const Arm& arm) { return asked(Role::pair, arm.name); })) add(order());
    for (std::size_t i = 1; i < file_.arms.size(); ++i) {
      const std::string suffix = file_.arms.size() > 2 ? " of " + file_.arms[i].name : "";
      if (auto second = second_judge(file_.arms[i].name, file_.arms[i - 1].name)) add(*std::move(second), suffix);
      if (asked(Role::guess, file_.arms[i].name)) add(guess_arm(file_.arms[i].name), suffix);
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
