#include "hearth/eval/study/rounds.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "hearth/base/check.h"

namespace hearth::eval {
namespace {

constexpr std::uint64_t sealed_bytes_max = 256u << 20;

RoundInput round_input(const ArmsFile& file, std::uint32_t generations, const StudyRecords& records,
                       const Scores& scores) {
  RoundInput out;
  for (const Arm& arm : file.arms) {
    out.arms.push_back(arm.name);
    for (const Item* item : scores.items_of(arm)) {
      if (!needs_judge(item->grader)) continue;
      out.items[item->id] = item;
      for (std::uint32_t k = 0; k < generations; ++k) {
        const ScoredAnswer* answer = scores.find(item->id, arm.name, k);
        if (!answer || answer->score || answer->excused || !answer->task.empty()) continue;
        const store::GenerationRecord& record = *answer->generation;
        out.answers.push_back(
            {.generation = record.key, .item = record.item, .arm = record.arm, .k = record.k, .text = record.output});
      }
    }
  }
  out.secrets = file.secrets();
  out.control_texts = file.settings.control_texts;
  out.is_first = records.rounds.empty();
  out.seed = file.settings.seed;
  return out;
}

}  // namespace

std::filesystem::path sealed_file(const std::filesystem::path& folder, std::uint32_t round) {
  return folder / fmt::format("round-{}.sealed", round);
}

std::optional<std::uint32_t> round_under_way(const StudyRecords& records) {
  for (const store::RoundRecord& round : records.rounds) {
    if (!round.map) return round.round;
  }
  return {};
}

Result<std::optional<std::uint32_t>> begin_round(const std::filesystem::path& folder, const Suite& suite,
                                                 const ArmsFile& file, std::uint32_t generations,
                                                 store::StudyStore& store, FileSystem& files,
                                                 const std::function<Result<std::string>()>& nonce) {
  const StudyRecords records = TRY(read_records(store));
  CHECK(!round_under_way(records));
  const Scores scores = TRY(Scores::make(suite, file, records));
  const std::vector<PlannedTask> planned = plan_round(round_input(file, generations, records, scores));
  if (planned.empty()) return std::optional<std::uint32_t>();
  std::vector<std::string> subjects;
  std::map<std::string, const PlannedTask*> by_subject;
  for (const PlannedTask& one : planned) {
    subjects.push_back(one.subject.text());
    by_subject[subjects.back()] = &one;
  }
  std::string fresh = TRY(nonce());
  const BlindMap map = make_blind_map(subjects, std::move(fresh));
  const auto round = static_cast<std::uint32_t>(records.rounds.size() + 1);
  std::vector<store::TaskRecord> tasks;
  for (const BlindEntry& entry : map.entries) {
    const PlannedTask& one = *by_subject[entry.subject];
    tasks.push_back({.id = entry.id,
                     .round = round,
                     .digest = judge_task_digest(one.task).hex(),
                     .egress = std::string(egress_name(one.egress)),
                     .copy = one.copy,
                     .for_second = one.for_second,
                     .task = dump_json(judge_task_json(one.task)),
                     .is_sealed = one.egress == Egress::deny});
  }
  const std::string sealed = dump_json(blind_map_json(map));
  const ByteSpan parts[] = {as_byte_span(sealed)};
  const std::filesystem::path path = sealed_file(folder, round);
  TRY(files.write_atomically(path, parts, Durability::survives_power_loss));
  std::error_code ignored;
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, ignored);
  TRY(store.add_round({.round = round, .k_begin = 0, .k_end = generations, .commitment = commitment(map).hex()},
                      tasks));
  return std::optional(round);
}

bool is_graded(const StudyRecords& records, std::uint32_t round, const JudgeSpec& judge) {
  const std::string id = judge.id();
  std::set<std::pair<std::string, std::uint32_t>> present;
  for (const store::GradeRecord& grade : records.grades) {
    if (grade.judge == id) present.emplace(grade.task, grade.repeat);
  }
  return std::ranges::all_of(records.tasks, [&](const store::TaskRecord& task) {
    if (task.round != round) return true;
    for (std::uint32_t repeat = 0; repeat < std::max(1u, judge.repeats); ++repeat) {
      if (!present.contains({task.id, repeat})) return false;
    }
    return true;
  });
}

Result<> open_round(const std::filesystem::path& folder, std::uint32_t round, store::StudyStore& store) {
  const std::filesystem::path path = sealed_file(folder, round);
  const std::string text = TRY(read_text_file(path, sealed_bytes_max));
  TRY(parse_blind_map(text));
  // A map that is not the committed one is taken as it is: the control commitment tells of it.
  return store.open_round(round, text);
}

}  // namespace hearth::eval
