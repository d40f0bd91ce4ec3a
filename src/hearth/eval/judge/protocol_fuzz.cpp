// A judge's reply, of each question.

#include <cstdint>

#include "hearth/eval/judge/protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::eval;
  const std::string_view reply(reinterpret_cast<const char*>(data), size);
  for (const Question question : {Question::score, Question::pair, Question::guess}) {
    JudgeTask task{.question = question, .prompt = "p", .criteria = {}, .texts = {"a text", "b", "c"}};
    task.texts.resize(1 + static_cast<std::size_t>(question));
    if (question == Question::score) task.criteria = {{.id = "a", .text = "x"}, {.id = "b", .text = "y", .weight = -2}};
    const auto answer = read_judge_answer(task, reply);
    if (answer && !(answer->value >= -1 && answer->value <= 1)) __builtin_trap();
  }
  return 0;
}
