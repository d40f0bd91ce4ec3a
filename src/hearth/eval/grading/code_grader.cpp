#include "hearth/eval/grading/code_grader.h"

#include <fmt/format.h>

#include <optional>

#include "hearth/eval/grading/extract.h"
#include "hearth/eval/grading/structured.h"
#include "hearth/eval/sandbox/sandbox.h"

namespace hearth::eval {
namespace {

// Runs one case. What the answer prints goes to standard error; the observed value alone to the channel.
constexpr std::string_view run_case_py = R"(
import json, os, sys, types
channel = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
case = json.load(sys.stdin)

def plain(value):
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=lambda one: (str(type(one)), one))
    if hasattr(value, "__next__"):
        return [one for one, _ in zip(value, range(100000))]
    if hasattr(value, "_asdict"):
        return value._asdict()
    if hasattr(value, "__iter__"):
        return list(value)
    if hasattr(value, "__float__"):
        return float(value)
    raise TypeError(f"the answer returned a {type(value).__name__}, which is no plain value")

def module(name, file):
    made = types.ModuleType(name)
    sys.modules[name] = made
    with open(file, encoding="utf-8") as source:
        exec(compile(source.read(), file, "exec"), made.__dict__)
    return made

answer = module("answer", "answer.py")
if case["function"] not in answer.__dict__:
    raise NameError(f"the answer does not define {case['function']}")
if case["probe"]:
    observed = module("probe", "probe.py").probe(answer, case["input"])
else:
    observed = getattr(answer, case["function"])(*case["input"])
channel.write(json.dumps({"observed": observed}, default=plain, allow_nan=False))
channel.flush()
)";

// Runs an item's check on all observed values.
constexpr std::string_view run_checks_py = R"(
import json, sys
space = {"__name__": "check"}
with open("check.py", encoding="utf-8") as source:
    exec(compile(source.read(), "check.py", "exec"), space)
verdicts = []
for case in json.load(sys.stdin):
    try:
        verdict = space["check"](case["input"], case["observed"], case["expected"])
        verdicts.append("" if verdict is True else str(verdict or "the check says no"))
    except Exception as problem:
        verdicts.append(f"the check could not read it: {type(problem).__name__}: {problem}")
print(json.dumps(verdicts))
)";

constexpr double start_seconds = 5;  // Python itself, on a busy machine
constexpr double check_seconds = 60;

std::string last_line(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  const std::size_t at = text.rfind('\n');
  return std::string(at == std::string_view::npos ? text : text.substr(at + 1));
}

struct CaseResult {
  std::optional<Json> observed;
  std::string fault;  // when nothing was observed
};

class CodeGrading {
 public:
  CodeGrading(const CodeSpec& spec, std::string code, const Sandbox& sandbox, const StopToken& stop)
      : spec_(spec), code_(std::move(code)), sandbox_(sandbox), stop_(stop) {}

  Result<Grade> run() {
    std::vector<CaseResult> results;
    for (const CodeSpec::Case& one : spec_.cases) results.push_back(TRY(run_case(one)));
    const std::vector<std::string> faults = spec_.check.empty() ? compare(results) : TRY(check(results));
    Grade out;
    double passed = 0, all = 0;
    for (std::size_t i = 0; i < spec_.cases.size(); ++i) {
      const CodeSpec::Case& one = spec_.cases[i];
      out.parts.push_back({one.name, one.weight, faults[i].empty() ? 1.0 : 0.0, faults[i]});
      all += one.weight;
      passed += faults[i].empty() ? one.weight : 0;
    }
    out.score = all > 0 ? passed / all : 0;
    return out;
  }

 private:
  Result<CaseResult> run_case(const CodeSpec::Case& one) {
    SandboxRequest request{.arguments = {"run_case.py"},
                           .files = {{"run_case.py", std::string(run_case_py)}, {"answer.py", code_}},
                           .input = dump_json(Json::object({{"function", spec_.function}, {"probe", !spec_.probe.empty()}, {"input", one.input}}))};
    if (!spec_.probe.empty()) request.files.push_back({"probe.py", spec_.probe});
    for (const NamedText& file : spec_.files) request.files.push_back({file.name, file.text});
    request.limits.wall_seconds = spec_.case_seconds + start_seconds;
    request.limits.cpu_seconds = spec_.case_seconds;
    const SandboxOutcome outcome = TRY(sandbox_.run(request, stop_));
    return read(outcome);
  }

  static CaseResult read(const SandboxOutcome& outcome) {
    if (outcome.end != SandboxEnd::exited || outcome.exit_code != 0) {
      const std::string last = last_line(outcome.errors);
      return {{}, outcome.end == SandboxEnd::exited && !last.empty() ? last : outcome.text()};
    }
    const auto json = parse_json(outcome.output);
    const Json* observed = json ? json->find("observed") : nullptr;
    // Whoever writes to the channel itself gets no further than a wrong value would.
    if (observed == nullptr || json->as_object().size() != 1) return {{}, "something else than one value came back"};
    return {*observed, ""};
  }

  std::vector<std::string> compare(const std::vector<CaseResult>& results) const {
    constexpr std::size_t shown_max = 120;
    std::vector<std::string> out;
    for (std::size_t i = 0; i < results.size(); ++i) {
      std::string fault = results[i].fault;
      if (results[i].observed && !is_same_value(spec_.cases[i].expected, *results[i].observed, spec_.tolerance)) {
        fault = "got " + dump_json(*results[i].observed);
        if (fault.size() > shown_max) fault = fault.substr(0, shown_max) + "…";
      }
      out.push_back(std::move(fault));
    }
    return out;
  }

  Result<std::vector<std::string>> check(const std::vector<CaseResult>& results) const {
    std::vector<std::string> out;
    Json observed = Json::array();
    for (std::size_t i = 0; i < results.size(); ++i) {
      out.push_back(results[i].fault);
      if (!results[i].observed) continue;
      observed.push(Json::object({{"input", spec_.cases[i].input}, {"observed", *results[i].observed}, {"expected", spec_.cases[i].expected}}));
    }
    SandboxRequest request{.arguments = {"run_checks.py"},
                           .files = {{"run_checks.py", std::string(run_checks_py)}, {"check.py", spec_.check}},
                           .input = dump_json(observed)};
    for (const NamedText& file : spec_.files) request.files.push_back({file.name, file.text});
    request.limits.wall_seconds = check_seconds;
    request.limits.cpu_seconds = static_cast<std::uint32_t>(check_seconds);
    const SandboxOutcome outcome = TRY(sandbox_.run(request, stop_));
    const auto verdicts = parse_json(outcome.output);
    if (!verdicts || !verdicts->is_array() || verdicts->as_array().size() != observed.as_array().size()) {
      return fail(Code::invalid_argument, fmt::format("the item's check.py gives no verdicts: {} {}", outcome.text(), last_line(outcome.errors)));
    }
    std::size_t next = 0;
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (results[i].observed) out[i] = TRY(read_json<std::string>(verdicts->as_array()[next++], "verdicts"));
    }
    return out;
  }

  const CodeSpec& spec_;
  std::string code_;
  const Sandbox& sandbox_;
  const StopToken& stop_;
};

}  // namespace

Result<Grade> grade_code(const CodeSpec& spec, std::string_view answer, const Sandbox& sandbox, const StopToken& stop) {
  auto code = declared_code(answer, spec.function);
  if (!code) {
    Grade out;
    out.reason = fmt::format("no code that defines {}", spec.function);
    for (const CodeSpec::Case& one : spec.cases) out.parts.push_back({one.name, one.weight, 0, "no code"});
    return out;
  }
  return CodeGrading(spec, std::move(*code), sandbox, stop).run();
}

}  // namespace hearth::eval
