#include "hearth/eval/suite/lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "hearth/eval/grading/grader.h"
#include "hearth/eval/grading/plan_world.h"

namespace hearth::eval {
namespace {

constexpr std::size_t prompt_bytes_min = 60;
constexpr std::uint32_t max_tokens_min = 64;
constexpr double full_score = 1 - 1e-9;

// "name@host.domain": a person's, more often than not.
bool has_mail_address(std::string_view text) {
  for (std::size_t at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
    const auto is_part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
    if (at == 0 || !is_part(text[at - 1])) continue;
    std::size_t end = at + 1;
    while (end < text.size() && (is_part(text[end]) || text[end] == '.' || text[end] == '-')) ++end;
    const std::string_view host = text.substr(at + 1, end - at - 1);
    const bool is_example = host.find("example") != std::string_view::npos || host.ends_with(".test");
    if (host.find('.') != std::string_view::npos && !is_example) return true;
  }
  return false;
}

class ItemLint {
 public:
  ItemLint(const Item& item, LintReport& report) : item_(item), report_(report) {
    for (const chat::Message& message : item.messages) prompt_ += message.text + "\n";
  }

  void read() {
    if (prompt_.size() < prompt_bytes_min) finding(fmt::format("the prompt has {} bytes; too short to be a task", prompt_.size()));
    if (prompt_tokens_about(item_) > prompt_tokens_max) {
      finding(fmt::format("the prompt has about {} tokens; models read at most {}", prompt_tokens_about(item_), prompt_tokens_max));
    }
    if (item_.max_tokens < max_tokens_min) finding(fmt::format("max_tokens = {} cuts answers off; at least {}", item_.max_tokens, max_tokens_min));
    if (!item_.egress_is_named) finding("no egress flag: nothing of this item may leave the house; write egress = \"deny\" if that is meant, or \"judge\" or \"open\"");
    if (item_.egress != Egress::deny && has_mail_address(prompt_)) {
      finding(fmt::format("egress = \"{}\" lets the prompt leave the house, and it has a mail address in it", egress_name(item_.egress)));
    }
    std::visit([this](const auto& spec) { read_grader(spec); }, item_.grader);
  }

  Result<> try_answers(const Sandbox* sandbox, std::string_view no_sandbox, const StopToken& stop) {
    if (needs_judge(item_.grader)) return {};
    const auto references = std::ranges::count_if(item_.answers, &SampleAnswer::is_reference);
    const std::size_t wrong = item_.answers.size() - static_cast<std::size_t>(references);
    if (references == 0) finding("no answers/reference.md: an answer that shows that the full score can be reached");
    if (wrong < wrong_answers_min) finding(fmt::format("{} wrong answers; at least {} answers/wrong-….md show that the grader tells right from wrong", wrong, wrong_answers_min));
    if (sandbox == nullptr && std::holds_alternative<CodeSpec>(item_.grader)) {
      finding(fmt::format("its answers could not be tried: {}", no_sandbox));
      return {};
    }
    for (const SampleAnswer& answer : item_.answers) {
      const auto grade = grade_answer(item_.grader, answer.text, sandbox, stop);
      if (!grade && grade.error().code == Code::cancelled) return std::unexpected(grade.error());
      if (!grade) finding(fmt::format("the answer {} could not be graded: {}", answer.name, grade.error().message));
      if (!grade) continue;
      ++report_.sample_answers;
      if (answer.is_reference && grade->score < full_score) finding(fmt::format("the answer {} reaches {:.2f}, not 1: {}", answer.name, grade->score, first_reason(*grade)));
      if (!answer.is_reference && grade->score >= wrong_score_max) finding(fmt::format("the answer {} reaches {:.2f}; a wrong answer must stay below {}", answer.name, grade->score, wrong_score_max));
    }
    return {};
  }

 private:
  void finding(std::string_view what) { report_.findings.push_back(fmt::format("{}:1: {}", item_.file, what)); }
  bool says(std::string_view text) const { return prompt_.find(text) != std::string::npos; }

  static std::string first_reason(const Grade& grade) {
    for (const GradePart& part : grade.parts) {
      if (part.score < full_score) return fmt::format("{}: {}{}", part.name, part.reason, grade.reason.empty() ? "" : "; " + grade.reason);
    }
    return grade.reason;
  }

  void read_grader(const RubricSpec& spec) {
    for (const std::string& one : lint_rubric(spec)) finding(one);
  }
  void read_grader(const CodeSpec& spec) {
    if (!says(spec.function)) finding(fmt::format("the prompt does not name the function {}", spec.function));
    if (spec.cases.size() < 4) finding(fmt::format("{} cases; at least 4, so that a part that is right shows", spec.cases.size()));
  }
  void read_grader(const ExactSpec&) { want_answer_line(); }
  void read_grader(const FinalAnswerSpec&) { want_answer_line(); }
  void want_answer_line() {
    if (!says("Answer:")) finding("the prompt does not ask for a line that begins with 'Answer:', which is what is graded");
  }
  void read_grader(const StructuredSpec& spec) {
    if (!says("JSON")) finding("the prompt does not ask for JSON, which is what is graded");
    if (!spec.expected.is_object()) return;
    for (const auto& [key, value] : spec.expected.as_object()) {
      if (!says(key)) finding(fmt::format("the prompt does not name the key '{}', which is expected", key));
    }
  }
  void read_grader(const PlanSpec& spec) {
    if (!says("JSON")) finding("the prompt does not ask for JSON, which is what is graded");
    for (const PlanSpec::Tool& tool : spec.tools) {
      if (!says(tool.name)) finding(fmt::format("the prompt does not name the tool {}", tool.name));
      for (const std::string& parameter : tool.parameters) {
        if (!says(parameter)) finding(fmt::format("the prompt does not name the parameter {} of {}", parameter, tool.name));
      }
    }
    const auto nothing_done = grade_plan(spec, Json::array());
    if (!nothing_done) finding(nothing_done.error().message);
    if (nothing_done && nothing_done->score > 0) finding(fmt::format("a plan without calls reaches {:.2f}; goals must not hold at the start", nothing_done->score));
  }

  const Item& item_;
  LintReport& report_;
  std::string prompt_;
};

}  // namespace

Result<LintReport> lint_suite(const LoadedSuite& loaded, const Sandbox* sandbox, std::string_view no_sandbox, const StopToken& stop, const std::function<void(double)>& progress) {
  LintReport out{.items = loaded.suite.items.size()};
  out.findings = loaded.problems;
  for (std::size_t i = 0; i < loaded.suite.items.size(); ++i) {
    const Item& item = loaded.suite.items[i];
    progress(static_cast<double>(i) / static_cast<double>(loaded.suite.items.size()));
    ++out.by_class[static_cast<std::size_t>(item.task_class)];
    ItemLint lint(item, out);
    lint.read();
    TRY(lint.try_answers(sandbox, no_sandbox, stop));
  }
  return out;
}

Json lint_json(const LintReport& report, const Suite& suite) {
  Json classes = Json::object(), findings = Json::array();
  for (std::size_t i = 0; i < task_class_count; ++i) classes.set(std::string(class_name(static_cast<TaskClass>(i))), report.by_class[i]);
  for (const std::string& one : report.findings) findings.push(one);
  return Json::object({{"suite", suite.name},
                       {"digest", suite.digest.hex()},
                       {"items", report.items},
                       {"classes", std::move(classes)},
                       {"sample_answers", report.sample_answers},
                       {"findings", std::move(findings)}});
}

}  // namespace hearth::eval
