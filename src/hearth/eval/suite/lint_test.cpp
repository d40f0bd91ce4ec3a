#include "hearth/eval/suite/lint.h"

#include <gtest/gtest.h>

namespace hearth::eval {
namespace {

std::string findings(std::vector<SuiteFile> files) {
  const auto report = lint_suite(load_suite(files, "mine"), nullptr, "there is no sandbox here", {}, [](double) {});
  std::string out;
  for (const std::string& one : report->findings) out += one + "\n";
  return out;
}

const std::string prompt = "How many eggs are in the two baskets together, if each has six? End with a line 'Answer: …'.";
const std::string item = "class = \"reasoning\"\ntitle = \"Eggs\"\negress = \"open\"\nmax_tokens = 500\n[grader]\nkind = \"final\"\nvalue = \"12\"\n";
const std::vector<SuiteFile> answers = {{"a/answers/reference.md", "Answer: 12"}, {"a/answers/wrong-one.md", "Answer: 6"}, {"a/answers/wrong-two.md", "Answer: 36"}};

std::vector<SuiteFile> files(const std::string& toml, const std::string& text, std::vector<SuiteFile> more) {
  more.push_back({"a/item.toml", toml});
  more.push_back({"a/prompt.md", text});
  return more;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) { return text.replace(text.find(from), from.size(), to); }

TEST(Lint, FindsNothingInAGoodItem) { EXPECT_EQ(findings(files(item, prompt, answers)), ""); }

TEST(Lint, FindsWhatAReaderWould) {
  const std::string rubric_head = "class = \"writing\"\ntitle = \"Letter\"\negress = \"judge\"\nmax_tokens = 900\n[grader]\nkind = \"rubric\"\n";
  const std::string code_head = "class = \"code\"\ntitle = \"Add\"\negress = \"open\"\nmax_tokens = 900\n[grader]\nkind = \"code\"\nfunction = \"add\"\n";
  const std::string one_criterion = "[[criterion]]\nid = \"x\"\ntext = \"The letter is well-written and names the day on which it was sent.\"\nweight = 1\n";
  const std::pair<std::vector<SuiteFile>, const char*> rows[] = {
      {files(item, prompt, {}), "no answers/reference.md"},
      {files(item, prompt, {answers[0], answers[1]}), "1 wrong answers; at least 2"},
      {files(replaced(item, "\"12\"", "\"13\""), prompt, answers), "the answer reference reaches 0.00, not 1"},
      {files(replaced(item, "\"12\"", "\"12\"\ntolerance = 0.5"), prompt, {answers[0], answers[1], answers[2], {"a/answers/wrong-near.md", "Answer: 13"}}), "the answer wrong-near reaches 1.00"},
      {files(item, "How many eggs are in the two baskets together, if each of them has six eggs?", answers), "does not ask for a line that begins with 'Answer:'"},
      {files(item, "Six and six? Answer: …", answers), "too short to be a task"},
      {files(replaced(item, "max_tokens = 500", "max_tokens = 5"), prompt, answers), "cuts answers off"},
      {files(replaced(item, "egress = \"open\"\n", ""), prompt, answers), "no egress flag"},
      {files(item, prompt + " Write to anna.berg@postbox.net when done.", answers), "has a mail address in it"},
      {files(rubric_head + one_criterion, prompt, {}), "1 criteria; expected 6 to 15"},
      {files(rubric_head + one_criterion, prompt, {}), "'well-written' is a matter of taste"},
      {files(rubric_head + one_criterion, prompt, {}), "decides 100 % of the score alone"},
      {files(rubric_head + replaced(one_criterion, "weight = 1", "weight = -1") + replaced(one_criterion, "\"x\"", "\"y\""), prompt, {}), "criterion 'x': 'well-written'"},
      {files(rubric_head + replaced(one_criterion, "sent.", "sent?"), prompt, {}), "is a question"},
      {files(code_head, prompt, {{"a/cases.json", "[{\"name\": \"x\", \"input\": [1, 2], \"expected\": 3}]"}}), "does not name the function add"},
      {files(code_head, prompt, {{"a/cases.json", "[{\"name\": \"x\", \"input\": [1, 2], \"expected\": 3}]"}}), "could not be tried: there is no sandbox here"},
      {files(replaced(replaced(item, "kind = \"final\"", "kind = \"plan\""), "value = \"12\"\n", ""), prompt, {{"a/world.toml", "[state]\nx = 1\n[[tool]]\nname = \"turn\"\nparameters = []\n[[goal]]\nname = \"g\"\nif = \"x == 1\"\n"}}), "a plan without calls reaches 1.00"},
  };
  for (const auto& [suite, expected] : rows) EXPECT_NE(findings(suite).find(expected), std::string::npos) << "wanted: " << expected << "\ngot: " << findings(suite);
}

TEST(Lint, FindingsNameTheirFile) { EXPECT_EQ(findings(files(item, prompt, {})).substr(0, 19), "mine/a/item.toml:1:"); }

}  // namespace
}  // namespace hearth::eval
