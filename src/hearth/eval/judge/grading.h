#pragma once
// The tasks of a round, asked of a judge: each until it is a grade or the tries are used up, which is
// recorded as such. Never asks what was asked before (grades are kept by content), waits where a service
// asks for it, and stops before it could pay more than the cap. Resumable at any moment.
//
// Knows ids and texts only: no arm, no map. The judge's own id is recorded with each grade.

#include <functional>
#include <span>
#include <string>

#include "hearth/eval/judge/protocol.h"
#include "hearth/eval/study/arms_file.h"
#include "hearth/eval/study/retry.h"
#include "hearth/eval/study/service.h"
#include "hearth/store/study.h"

namespace hearth::eval {

struct GradingCourse {
  std::size_t done = 0, total = 0;  // of this call
  std::size_t failed = 0;
  double cost_usd = 0;  // of all grades by this judge
  double seconds_left = 0;
};

struct GradingOptions {
  RetryPolicy retry;
  std::function<void(const GradingCourse&)> progress;
  std::function<std::int64_t()> now_s;
  std::function<Result<std::string>()> nonce;  // a new one each time: secure_nonce
};

// The request for one try of one task.
chat::ChatRequest judge_request(const JudgeSpec& judge, const JudgeTask& task, std::string_view nonce);

// Every task of `tasks` that lacks a grade by this judge. resource_exhausted at the cap.
Result<> grade_tasks(const JudgeSpec& judge, std::span<const store::TaskRecord> tasks, Service& service,
                     store::StudyStore& records, const GradingOptions& options, const StopToken& stop);

}  // namespace hearth::eval
