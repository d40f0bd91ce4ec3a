// Whatever an arm writes, every pure grader gives a score of 0 to 1.
#include <cstdint>
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/eval/grading/expression.h"
#include "hearth/eval/grading/extract.h"
#include "hearth/eval/grading/grader.h"

using namespace hearth::eval;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const PlanSpec plan{
      .state = *hearth::parse_json(R"({"at": "hall", "load": ["a"], "doors": {"hall": ["lab"], "lab": ["hall"]}})"),
      .tools = {{"go", {"to"}, {{"to in doors[at]", "no door"}}, {{"at", "to"}}}, {"take", {"what"}, {}, {{"load", "load + [what]"}}}},
      .goals = {{"there", "at == 'lab'", 1}},
      .never = {}};
  static const GraderSpec specs[] = {ExactSpec{{"north"}}, FinalAnswerSpec{.value = "3/4", .unit = "h"}, plan,
                                     StructuredSpec{.expected = *hearth::parse_json(R"({"a": [1, {"b": "x"}], "c": true})"), .ordered = {"a"}}};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const GraderSpec& spec : specs) {
    const auto grade = grade_answer(spec, text, nullptr, {});
    CHECK(grade.has_value());
    CHECK(grade->score >= 0 && grade->score <= 1);
  }
  (void)declared_code(text, "f");
  const hearth::Json state = plan.state;
  (void)evaluate(text, {&state, &state});
  (void)check_expression(text);
  return 0;
}
