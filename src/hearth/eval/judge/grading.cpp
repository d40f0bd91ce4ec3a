#include "hearth/eval/judge/grading.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "hearth/eval/study/asking.h"
#include "hearth/eval/study/in_parallel.h"

namespace hearth::eval {
namespace {

constexpr std::size_t nonce_digits = 16;
struct Job {
  const store::TaskRecord* task;
  std::uint32_t repeat;
};

Json answer_json(const JudgeAnswer& answer) {
  Json criteria = Json::array();
  for (const CriterionVerdict& one : answer.criteria)
    criteria.push(Json::object({{"id", one.id}, {"met", one.met}, {"quote", one.quote}}));
  return Json::object({{"value", answer.value}, {"criteria", std::move(criteria)}});
}

class Grader {
 public:
  Grader(const JudgeSpec& judge, Service& service, const GradingOptions& options, Purse& purse)
      : judge_(judge), service_(service), options_(options), purse_(purse), id_(judge.id()) {}

  struct Graded {
    Result<store::GradeRecord> record;
    double paid_usd = 0;  // also where there is no record in the end
  };
  Graded grade(const Job& job, const StopToken& stop) const {
    double paid_usd = 0;
    auto record = grade(job, stop, paid_usd);
    return {std::move(record), paid_usd};
  }

 private:
  Result<store::GradeRecord> grade(const Job& job, const StopToken& stop, double& paid_usd) const {
    const Json json = TRY(parse_json(job.task->task));
    const JudgeTask task = TRY(read_judge_task(json));
    store::GradeRecord out{.task = job.task->id,
                           .judge = id_,
                           .repeat = job.repeat,
                           .task_digest = job.task->digest,
                           .copy = job.task->copy,
                           .is_sealed = job.task->is_sealed};
    for (std::uint32_t attempt = 1; attempt <= judge_.tries_max; ++attempt) {
      out.tries = attempt;
      const ServiceReply reply = TRY(ask(*job.task, task, stop));
      note(out, reply);
      paid_usd = out.cost_usd;
      auto answer = read_judge_answer(task, reply.said());
      if (!answer) {
        out.fault = fmt::format("{}: {}", judge_fault_name(answer.error().fault), answer.error().detail);
        continue;
      }
      keep(out, *answer);
      // Evidence that is not in the text: ask once more, and take what is said at the last try.
      if (answer->quotes_missing == 0) break;
    }
    out.graded_s = options_.now_s ? options_.now_s() : 0;
    return out;
  }

  Result<ServiceReply> ask(const store::TaskRecord& record, const JudgeTask& task, const StopToken& stop) const {
    const Egress egress = TRY(parse_egress(record.egress));
    const auto request = [&]() -> Result<chat::ChatRequest> {
      const std::string nonce = TRY(options_.nonce());
      return judge_request(judge_, task, nonce.substr(0, nonce_digits));
    };
    Asked asked = TRY(ask_patiently(service_, request, egress, purse_, options_.retry, stop));
    if (asked.reply) return *std::move(asked.reply);
    return fail(Code::unavailable,
                fmt::format("judge {}: {} ({} tries); grades are kept, run the same command again to go on",
                            judge_.endpoint.name, asked.reply.error().message, asked.tries));
  }

  static void note(store::GradeRecord& out, const ServiceReply& reply) {
    out.raw = reply.said();
    out.model = reply.model;
    out.prompt_tokens += reply.end.usage.prompt_tokens;
    out.answer_tokens += reply.end.usage.answer_tokens;
    out.cost_usd += reply.cost_usd;
    out.seconds += reply.total_s;
  }

  static void keep(store::GradeRecord& out, const JudgeAnswer& answer) {
    out.graded = true;
    out.fault.clear();
    out.value = answer.value;
    out.quotes_missing = answer.quotes_missing;
    out.answer = dump_json(answer_json(answer));
  }

  const JudgeSpec& judge_;
  Service& service_;
  const GradingOptions& options_;
  Purse& purse_;
  const std::string id_;
};

// Answered before under another id: the same grade, at no cost.
Result<bool> take_from_cache(const Job& job, const std::string& judge, store::StudyStore& records, std::int64_t now_s) {
  auto found = TRY(records.cached_grade(job.task->digest, judge, job.repeat, job.task->copy));
  if (!found) return false;
  found->task = job.task->id;
  found->is_sealed = job.task->is_sealed;
  found->from_cache = true;
  found->cost_usd = 0;
  found->graded_s = now_s;
  TRY(records.add_grade(*found));
  return true;
}

// Paid for replies of which no grade came, because the run was stopped between two tries.
store::EventRecord paid_event(const std::string& judge, double usd, std::int64_t now_s) {
  return {.kind = "paid", .body = dump_json(Json::object({{"judge", judge}, {"usd", usd}})), .at_s = now_s};
}

Result<double> paid_before(const std::string& judge, const store::StudyStore& records) {
  double out = 0;
  for (const store::EventRecord& event : TRY(records.events())) {
    if (event.kind != "paid") continue;
    const Json body = TRY(parse_json(event.body));
    if (TRY(get<std::string>(body, "judge")) == judge) out += TRY(get<double>(body, "usd"));
  }
  return out;
}

struct Work {
  std::vector<Job> asked, repeated;  // repeated: equal to one that is asked, whose grade it takes
  double spent_usd = 0;
};

Result<Work> find_work(const JudgeSpec& judge, std::span<const store::TaskRecord> tasks, store::StudyStore& records,
                       std::int64_t now_s) {
  Work out;
  const std::string id = judge.id();
  out.spent_usd = TRY(paid_before(id, records));
  std::set<std::pair<std::string, std::uint32_t>> present;
  for (const store::GradeRecord& grade : TRY(records.grades())) {
    if (grade.judge != id) continue;
    out.spent_usd += grade.cost_usd;
    present.emplace(grade.task, grade.repeat);
  }
  std::set<std::tuple<std::string, std::uint32_t, std::uint32_t>> asked;
  for (const store::TaskRecord& task : tasks) {
    for (std::uint32_t repeat = 0; repeat < judge.repeats; ++repeat) {
      const Job job{&task, repeat};
      if (present.contains({task.id, repeat})) continue;
      if (TRY(take_from_cache(job, id, records, now_s))) continue;
      (asked.emplace(task.digest, repeat, task.copy).second ? out.asked : out.repeated).push_back(job);
    }
  }
  return out;
}

}  // namespace

chat::ChatRequest judge_request(const JudgeSpec& judge, const JudgeTask& task, std::string_view nonce) {
  JudgePrompt prompt = judge_prompt(task, nonce);
  chat::ChatRequest out;
  out.model = judge.endpoint.model;
  out.conversation.messages.push_back({.role = chat::Role::system, .text = std::move(prompt.instructions)});
  out.conversation.messages.push_back({.role = chat::Role::user, .text = std::move(prompt.material)});
  // Two kinds of service cannot be held to a schema; their replies are checked like all others.
  const bool follows_schema = judge.endpoint.kind != upstream::Kind::exo && judge.endpoint.kind != upstream::Kind::mlx;
  if (follows_schema) {
    out.response_format = {.kind = chat::ResponseFormat::Kind::json_schema, .schema = std::move(prompt.schema)};
  }
  out.thinking = judge.thinking;
  out.tokens_max = judge.tokens_max;
  out.stream = true;
  return out;
}

Result<> grade_tasks(const JudgeSpec& judge, std::span<const store::TaskRecord> tasks, Service& service,
                     store::StudyStore& records, const GradingOptions& options, const StopToken& stop) {
  const std::string id = judge.id();
  const auto now = [&] { return options.now_s ? options.now_s() : 0; };
  Work work = TRY(find_work(judge, tasks, records, now()));
  Purse purse("judge " + judge.endpoint.name, judge.endpoint.prices, work.spent_usd, judge.money_max_usd);
  const Grader grader(judge, service, options, purse);
  GradingCourse course{.total = work.asked.size()};
  double busy_s = 0;
  const auto keep = [&](const Grader::Graded& graded) -> Result<> {
    if (!graded.record) {
      if (graded.paid_usd > 0) TRY(records.add_event(paid_event(id, graded.paid_usd, now())));
      return std::unexpected(graded.record.error());
    }
    TRY(records.add_grade(*graded.record));
    ++course.done;
    course.failed += graded.record->graded ? 0u : 1u;
    course.cost_usd = purse.spent_usd();
    busy_s += graded.record->seconds;
    course.seconds_left = busy_s / static_cast<double>(course.done) *
                          static_cast<double>(course.total - std::min(course.done, course.total)) / judge.parallel;
    if (options.progress) options.progress(course);
    return {};
  };
  TRY(in_parallel(work.asked.size(), judge.parallel, stop, [&](std::size_t i) -> Keep {
    return [&, graded = grader.grade(work.asked[i], stop)] { return keep(graded); };
  }));
  for (const Job& job : work.repeated) {
    if (TRY(take_from_cache(job, id, records, now()))) continue;
    TRY(keep(grader.grade(job, stop)));  // the first one was given up
  }
  return {};
}

}  // namespace hearth::eval
