// Answers that are right, wrong, and out to be taken for right.

#include "hearth/eval/grading/code_grader.h"

#include <gtest/gtest.h>

#include "hearth/eval/sandbox/sandbox.h"

namespace hearth::eval {
namespace {

const Sandbox& sandbox() {
  static const Result<Sandbox> opened = Sandbox::open(HEARTH_SANDBOX_EXECUTABLE);
  if (!opened) ADD_FAILURE() << opened.error().message;
  return *opened;
}

CodeSpec doubling() {
  CodeSpec out{.function = "twice"};
  for (const int n : {1, 20, 300, 4000}) out.cases.push_back({std::to_string(n), Json::array({n}), Json(2 * n)});
  out.case_seconds = 1;
  return out;
}

Grade grade(const std::string& code, const CodeSpec& spec = doubling()) {
  const auto found = grade_code(spec, "Here:\n```python\n" + code + "\n```\n", sandbox(), {});
  EXPECT_TRUE(found) << found.error().message;
  return found ? *found : Grade{};
}

TEST(CodeGrader, ScoresTheShareOfCasesThatPass) {
  EXPECT_DOUBLE_EQ(grade("def twice(n):\n  return 2 * n").score, 1);
  EXPECT_DOUBLE_EQ(grade("def twice(n):\n  return 2 * n if n < 100 else 0").score, 0.5);
  EXPECT_DOUBLE_EQ(grade("def twice(n):\n  print('hello')\n  return 2 * n").score, 1);
}

TEST(CodeGrader, SaysWhatWentWrong) {
  EXPECT_EQ(grade("def twice(n):\n  return n").parts[0].reason, "got 1");
  EXPECT_EQ(grade("def twice(n):\n  return 1 / 0").parts[0].reason, "ZeroDivisionError: division by zero");
  EXPECT_NE(grade("def twice(n)\n  return n").parts[0].reason.find("SyntaxError"), std::string::npos);
  EXPECT_NE(grade("def thrice(n):\n  return n").parts[0].reason.find("does not define twice"), std::string::npos);
  EXPECT_NE(grade("def twice(n):\n  return object()").parts[0].reason.find("no plain value"), std::string::npos);
  EXPECT_EQ(grade_code(doubling(), "I would rather not.", sandbox(), {})->reason, "no code that defines twice");
}

// None of them computes anything; none may score.
struct Forger {
  const char* name;
  const char* code;
};
void PrintTo(const Forger& one, std::ostream* out) { *out << one.name; }
class ForgedAnswer : public testing::TestWithParam<Forger> {};

TEST_P(ForgedAnswer, ScoresNothing) { EXPECT_DOUBLE_EQ(grade(GetParam().code).score, 0) << GetParam().name; }

const Forger forgers[] = {
    {"prints a result and leaves", "import os\nprint('{\"observed\": true, \"passed\": 4}')\nos._exit(0)\ndef twice(n): pass"},
    {"writes to every descriptor", "import os\nfor fd in range(64):\n  try: os.write(fd, b'{\"passed\": true}\\n')\n  except OSError: pass\nos._exit(0)\ndef twice(n): pass"},
    {"returns what is equal to everything", "class Yes:\n  def __eq__(self, other): return True\n  def __iter__(self): return iter([])\ndef twice(n): return Yes()"},
    {"looks for the cases", "import os\ndef twice(n):\n  found = [open(f).read() for f in os.listdir('.') if f not in ('answer.py', 'run_case.py')]\n  return found or None"},
    {"rewrites the driver", "import os\ntry:\n  open('run_case.py', 'w').write('')\nexcept OSError: pass\ndef twice(n): return 'rewritten'"},
    {"searches the caller for the expected value", "import sys\ndef twice(n):\n  frame = sys._getframe()\n  while frame:\n    for value in list(frame.f_locals.values()) + list(frame.f_globals.values()):\n      if isinstance(value, dict) and 'expected' in value: return value['expected']\n    frame = frame.f_back"},
    {"replaces the JSON writer", "import json\njson.dumps = lambda *a, **k: '{\"observed\": 1, \"passed\": true}'\ndef twice(n): return None"},
    {"answers twice", "import sys, __main__\n__main__.channel.write('{\"observed\": 0}')\ndef twice(n): return 2 * n"},
    {"exits with success", "import sys\nsys.exit(0)\ndef twice(n): pass"},
    {"never returns", "def twice(n):\n  while True: pass"},
};
INSTANTIATE_TEST_SUITE_P(All, ForgedAnswer, testing::ValuesIn(forgers));

TEST(CodeGrader, AProbeLooksAtMoreThanOneValue) {
  CodeSpec spec = doubling();
  spec.probe = "def probe(answer, input):\n  try:\n    return answer.twice(*input)\n  except ValueError:\n    return 'refused'\n";
  spec.cases = {{"refuses", Json::array({-1}), Json("refused")}};
  EXPECT_DOUBLE_EQ(grade("def twice(n):\n  raise ValueError", spec).score, 1);
}

TEST(CodeGrader, ACheckDecidesWhereSeveralAnswersAreRight) {
  CodeSpec spec{.function = "divisor", .check = "def check(input, observed, expected):\n  return input[0] % observed == 0 and observed > 1 or f'{observed} does not divide'\n"};
  spec.cases = {{"12", Json::array({12}), {}}, {"35", Json::array({35}), {}}};
  EXPECT_DOUBLE_EQ(grade("def divisor(n):\n  return n", spec).score, 1);
  const Grade half = grade("def divisor(n):\n  return 3", spec);
  EXPECT_DOUBLE_EQ(half.score, 0.5);
  EXPECT_EQ(half.parts[1].reason, "3 does not divide");
  EXPECT_DOUBLE_EQ(grade("def divisor(n):\n  return 'x'", spec).score, 0);
}

TEST(CodeGrader, ACheckThatIsBrokenIsTheItemsFault) {
  CodeSpec spec = doubling();
  spec.check = "import nowhere\n";
  EXPECT_FALSE(grade_code(spec, "```python\ndef twice(n):\n  return 2 * n\n```", sandbox(), {}));
}

}  // namespace
}  // namespace hearth::eval
