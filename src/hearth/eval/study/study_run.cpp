#include "hearth/eval/study/study_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/eval/study/arm_program.h"
#include "hearth/eval/study/registration.h"
#include "hearth/eval/study/rounds.h"

namespace hearth::eval {
namespace {

std::string span_of_time(double seconds) {
  if (seconds < 90) return fmt::format("{:.0f} s", seconds);
  if (seconds < 5'400) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3'600);
}

std::string money(double usd, double cap_usd) {
  if (cap_usd > 0) return fmt::format(", {:.2f} of at most {:.2f} dollars", usd, cap_usd);
  return usd > 0 ? fmt::format(", {:.2f} dollars", usd) : std::string();
}

class Run {
 public:
  Run(const StudyParts& parts, const StudyOptions& options, const StopToken& stop)
      : parts_(parts), options_(options), stop_(stop) {}

  Result<StudyEnd> go() {
    TRY(register_study(parts_.suite, parts_.file, parts_.records, parts_.now_s()));
    TRY(check_sealing());
    const ComparisonPlan plan = TRY(study_comparison_plan(parts_.suite, parts_.file));
    // Each turn reaches one look; one more finishes a round that a crash left open.
    for (std::size_t turn = 0; turn <= 2 * plan.generations.size() + 2; ++turn) {
      if (stop_.stop_requested()) return fail(Code::cancelled, "stopped");
      const StudyRecords records = TRY(read_records(parts_.records));
      if (options_.grade && round_under_way(records)) {
        if (!TRY(finish_round(records))) return StudyEnd::wants_person;
        continue;
      }
      const Scores scores = TRY(Scores::make(parts_.suite, parts_.file, records));
      const Standing standing = TRY(study_standing(plan, parts_.file, scores));
      if (standing.decided()) {
        if (any_failed(scores, true)) return StudyEnd::void_;
        return scores.waits_for_person() > 0 ? StudyEnd::wants_person : StudyEnd::decided;
      }
      if (any_failed(scores, false)) return StudyEnd::void_;
      const std::uint32_t generations =
          options_.grade ? *standing.next_generations : static_cast<std::uint32_t>(plan.generations.back());
      const bool beyond = options_.generations_max > 0 && generations > options_.generations_max;
      if (options_.grade && beyond) return StudyEnd::generated;
      TRY(generate_look(standing, beyond ? options_.generations_max : generations));
      if (!options_.grade) return StudyEnd::generated;
      TRY(score_verifiable());
      TRY(begin_round(parts_.folder, parts_.suite, parts_.file, generations, parts_.records, parts_.files,
                      parts_.nonce));
    }
    return fail(Code::internal, "the study does not move on; what was generated and graded is kept");
  }

 private:
  // At a look before the last the halves of the reference are left alone: looked at again and again,
  // they would void good studies more often than they may.
  static bool any_failed(const Scores& scores, bool at_the_end) {
    if (!scores.has_judged() && !at_the_end) return false;
    for (const Control& one : scores.controls()) {
      if (!one.passed && (at_the_end || one.name != control_name(ControlKind::same_arm))) return true;
    }
    return false;
  }

  // Before anything is asked: what would be written of items that must not leave the house can be sealed.
  Result<> check_sealing() const {
    std::size_t denied = 0;
    std::string first;
    for (const Item& item : parts_.suite.items) {
      const auto is_asked = [&](const Arm& arm) { return exclusion(item, arm, parts_.file).empty(); };
      if (item.egress != Egress::deny || std::ranges::none_of(parts_.file.arms, is_asked)) continue;
      if (denied++ == 0) first = item.id;
    }
    if (denied == 0) return {};
    const auto ready = parts_.records.check_cipher();
    if (ready) return {};
    return fail(ready.error().code,
                fmt::format("{} items must not leave the house (egress = \"deny\", as {}), so what is written of them is kept in the "
                            "vault: {}. Open one (hearth vault init, hearth vault unlock), or say egress = \"judge\" or \"open\" in them",
                            denied, first, ready.error().message));
  }

  Result<> generate_look(const Standing& standing, std::uint32_t generations) {
    std::set<std::string> present;
    for (const store::GenerationRecord& one : TRY(parts_.records.generations())) present.insert(one.key);
    for (const Arm& arm : parts_.file.arms) {
      if (std::ranges::find(standing.arms_wanted, arm.name) == standing.arms_wanted.end()) continue;
      std::vector<const Item*> items;
      for (const Item& item : parts_.suite.items) {
        if (exclusion(item, arm, parts_.file).empty()) items.push_back(&item);
      }
      const std::vector<WantedGeneration> wanted = wanted_generations(items, arm, generations, present);
      if (!wanted.empty()) TRY(generate_arm(arm, wanted));
    }
    return {};
  }

  Result<> generate_arm(const Arm& arm, std::span<const WantedGeneration> wanted) {
    const std::unique_ptr<Service> service = TRY(parts_.connect(arm.endpoint, Egress::open));
    const ArmProgram program = TRY(ArmProgram::start(
        arm, *service, [&](const std::string& what) { tell(what, 0); }, stop_));
    GenerateOptions options{.retry = options_.retry, .progress = {}, .now_s = parts_.now_s};
    options.progress = [&](const GenerationCourse& course) {
      tell(fmt::format("{}: {} of {} answers, {} left{}", course.arm, course.done, course.total,
                       span_of_time(course.seconds_left), money(course.cost_usd, arm.money_max_usd)),
           static_cast<double>(course.done) / static_cast<double>(course.total));
    };
    return generate(arm, wanted, *service, parts_.records, options, stop_);
  }

  // By graders that need no judge: what was not scored by this version yet.
  Result<> score_verifiable() {
    std::set<std::pair<std::string, std::string>> present;
    for (const store::ScoreRecord& one : TRY(parts_.records.scores())) {
      if (one.grader_version == grader_version) present.emplace(one.generation, one.item_digest);
    }
    const std::vector<store::GenerationRecord> generations = TRY(parts_.records.generations());
    std::size_t done = 0;
    for (const store::GenerationRecord& one : generations) {
      ++done;
      const Item* item = parts_.suite.find(one.item);
      if (!item || needs_judge(item->grader) || one.prompt_digest != prompt_digest(*item).hex()) continue;
      const std::string digest = item_digest(*item).hex();
      if (present.contains({one.key, digest})) continue;
      const Grade grade = TRY(grade_answer(item->grader, one.output, parts_.sandbox, stop_));
      TRY(parts_.records.add_score({.generation = one.key,
                                    .item_digest = digest,
                                    .grader_version = grader_version,
                                    .score = grade.score,
                                    .detail = dump_json(grade_json(grade)),
                                    .is_sealed = item->egress == Egress::deny}));
      tell(fmt::format("grading {} of {} answers", done, generations.size()),
           static_cast<double>(done) / static_cast<double>(generations.size()));
    }
    return {};
  }

  // False: a person has to grade first.
  Result<bool> finish_round(const StudyRecords& records) {
    const std::uint32_t round = *round_under_way(records);
    const JudgeSpec& judge = *parts_.file.judge;
    std::vector<store::TaskRecord> tasks, for_second;
    for (const store::TaskRecord& task : records.tasks) {
      if (task.round != round) continue;
      tasks.push_back(task);
      if (task.for_second) for_second.push_back(task);
    }
    if (!judge.is_person) TRY(ask_judge(judge, tasks));
    if (parts_.file.second_judge && !parts_.file.second_judge->is_person)
      TRY(ask_judge(*parts_.file.second_judge, for_second));
    const StudyRecords now = TRY(read_records(parts_.records));
    if (!is_graded(now, round, judge)) return false;
    TRY(open_round(parts_.folder, round, parts_.records));
    return true;
  }

  Result<> ask_judge(const JudgeSpec& judge, std::span<const store::TaskRecord> tasks) {
    const std::unique_ptr<Service> service = TRY(parts_.connect(judge.endpoint, Egress::judge));
    GradingOptions options{.retry = options_.retry, .progress = {}, .now_s = parts_.now_s, .nonce = parts_.nonce};
    options.progress = [&](const GradingCourse& course) {
      tell(fmt::format("judge {}: {} of {} grades, {} left{}", judge.endpoint.name, course.done, course.total,
                       span_of_time(course.seconds_left), money(course.cost_usd, judge.money_max_usd)),
           static_cast<double>(course.done) / static_cast<double>(course.total));
    };
    return grade_tasks(judge, tasks, *service, parts_.records, options, stop_);
  }

  void tell(const std::string& what, double share) const {
    if (options_.progress) options_.progress(what, share);
  }

  const StudyParts& parts_;
  const StudyOptions& options_;
  const StopToken& stop_;
};

}  // namespace

Result<StudyEnd> run_study(const StudyParts& parts, const StudyOptions& options, const StopToken& stop) {
  return Run(parts, options, stop).go();
}

}  // namespace hearth::eval
