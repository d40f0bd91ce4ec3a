#pragma once
// What a judge is asked and what it may answer. One text a call: criteria yes or no, with a quote from
// the text as evidence. Pairs and guesses are asked for controls only; the decision never uses them.
//
// A candidate's text is data: it stands between fences with a nonce that is new for each call, and
// whatever looks like a fence inside it is defused. The constant part comes first, the candidate last,
// so that a service may cache the beginning. An answer is one JSON object and nothing else, checked
// here whatever the service promises. Pure; errors say what was wrong, for the record.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/base/json.h"
#include "hearth/eval/grading/grader.h"

namespace hearth::eval {

enum class Question : std::uint8_t {
  score,  // one text against criteria: 0 to 1
  pair,  // two texts: by how much the first is better, -1 to 1
  guess,  // texts one and two are by two writers: how likely the third is by writer two, 0 to 1
};
std::string_view question_name(Question question);
std::optional<Question> question_of_name(std::string_view name);

// Texts are stripped of identity already.
struct JudgeTask {
  Question question = Question::score;
  std::string prompt;  // what the writers were asked
  std::vector<RubricSpec::Criterion> criteria;  // pair: for orientation; guess: none
  std::vector<std::string> texts;  // 1, 2 or 3
};
Json judge_task_json(const JudgeTask& task);
Result<JudgeTask> read_judge_task(const Json& json);

struct JudgePrompt {
  std::string instructions;  // the same for every call of a question
  std::string material;
  Json schema;  // of the answer
};
// A text longer than judged_bytes_max is cut there, for every arm alike.
inline constexpr std::size_t judged_bytes_max = 200'000;
JudgePrompt judge_prompt(const JudgeTask& task, std::string_view nonce);
// Of the wording: grades under different wordings are never mixed.
Digest256 judge_protocol_digest();
// Of all that is asked, without the nonce: what grades are cached by.
Digest256 judge_task_digest(const JudgeTask& task);

enum class JudgeFault : std::uint8_t { prose, refused, broken_json, wrong_shape, out_of_range };
std::string_view judge_fault_name(JudgeFault fault);

struct JudgeAnswer {
  double value = 0;
  std::vector<CriterionVerdict> criteria;  // in the order of the task's
  std::uint32_t quotes_missing = 0;  // quotes that are not in the text
};

struct JudgeMiss {
  JudgeFault fault = JudgeFault::prose;
  std::string detail;
};

// A quote that is not in the text is no miss: it is counted, and the caller asks again.
std::expected<JudgeAnswer, JudgeMiss> read_judge_answer(const JudgeTask& task, std::string_view reply);

}  // namespace hearth::eval
