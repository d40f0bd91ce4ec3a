// The grader of an item: the table [grader] of item.toml and the files that belong to its kind.

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/toml.h"
#include "hearth/eval/grading/expression.h"
#include "hearth/eval/grading/final_answer.h"
#include "hearth/eval/suite/long_context.h"
#include "hearth/eval/suite/read_item.h"

namespace hearth::eval {
namespace {

constexpr NumberRange tolerances{0, 0.5}, weights{0.001, 1000}, signed_weights{-1000, 1000};

class GraderReader {
 public:
  explicit GraderReader(const GraderContext& context)
      : context_(context), item_file_(context.files.name_of("item.toml")) {}

  GraderSpec read() {
    const Json* table = context_.toml.find("grader");
    if (table == nullptr || !table->is_object()) {
      problem("item.toml", "the table [grader] is missing");
      return RubricSpec{};
    }
    TomlEntry entry(*table, item_file_, "grader", context_.problems);
    const std::string kind = entry.text("kind");
    GraderSpec out = read_kind(kind, entry);
    entry.finish();
    return out;
  }

 private:
  GraderSpec read_kind(const std::string& kind, TomlEntry& entry) {
    if (kind == "rubric") return rubric();
    if (kind == "code") return code(entry);
    if (kind == "exact") return ExactSpec{.accepted = accepted(entry)};
    if (kind == "structured") return structured(entry);
    if (kind == "final") return final_answer(entry);
    if (kind == "plan") return plan();
    if (!kind.empty()) entry.problem(fmt::format("kind '{}'; expected rubric, code, exact, structured, final or plan", kind));
    return RubricSpec{};
  }

  void problem(std::string_view file, std::string_view what) {
    context_.problems.push_back(fmt::format("{}:1: {}", context_.files.name_of(file), what));
  }

  std::string file_text(std::string_view name) const {
    const std::string_view* text = context_.files.find(name);
    return text != nullptr ? std::string(*text) : std::string();
  }

  Json json_file(std::string_view name) {
    const std::string_view* text = context_.files.find(name);
    if (text == nullptr) {
      problem(name, "is missing");
      return {};
    }
    auto found = parse_json(*text);
    if (!found) problem(name, found.error().message);
    return found ? *found : Json();
  }

  RubricSpec rubric() {
    RubricSpec out;
    TomlEntry item(context_.toml, item_file_, "item", context_.problems);
    for (const Json* table : item.tables("criterion")) {
      TomlEntry entry(*table, item_file_, "criterion", context_.problems);
      RubricSpec::Criterion one{entry.text("id"), entry.text("text"), entry.number_required("weight", signed_weights)};
      entry.finish();
      if (one.weight == 0) entry.problem("weight = 0 decides nothing; leave the criterion out");
      if (std::ranges::find(out.criteria, one.id, &RubricSpec::Criterion::id) != out.criteria.end()) {
        entry.problem(fmt::format("another criterion is called '{}'", one.id));
      }
      out.criteria.push_back(std::move(one));
    }
    if (std::ranges::none_of(out.criteria, [](const auto& one) { return one.weight > 0; })) {
      problem("item.toml", "a rubric needs criteria of positive weight, each under [[criterion]]");
    }
    return out;
  }

  CodeSpec code(TomlEntry& entry) {
    CodeSpec out;
    out.function = entry.text("function");
    out.tolerance = entry.number("tolerance", tolerances).value_or(out.tolerance);
    out.case_seconds = entry.count_or<std::uint32_t>("case_seconds", out.case_seconds, {1, 120});
    out.probe = file_text("probe.py");
    out.check = file_text("check.py");
    constexpr std::string_view folder = "files/";
    for (const auto& [name, text] : context_.files.files) {
      if (name.starts_with(folder)) out.files.push_back({name.substr(folder.size()), std::string(text)});
    }
    read_cases(out);
    return out;
  }

  void read_cases(CodeSpec& out) {
    const Json cases = json_file("cases.json");
    if (!cases.is_array() || cases.as_array().empty()) {
      if (!cases.is_null()) problem("cases.json", "expected a list of cases: [{\"name\": …, \"input\": […], \"expected\": …}, …]");
      return;
    }
    for (std::size_t i = 0; i < cases.as_array().size(); ++i) {
      const Json& one = cases.as_array()[i];
      const Json* name = one.find("name");
      const Json* input = one.find("input");
      const Json* expected = one.find("expected");
      const Json* weight = one.find("weight");
      if (!name || !name->is_string() || !input || !input->is_array() || (!expected && out.check.empty())) {
        problem("cases.json", fmt::format("case {} needs a name, an input (a list of arguments) and, without check.py, an expected value", i + 1));
        continue;
      }
      if (std::ranges::find(out.cases, name->as_string(), &CodeSpec::Case::name) != out.cases.end()) {
        problem("cases.json", fmt::format("two cases are called '{}'", name->as_string()));
      }
      out.cases.push_back({name->as_string(), *input, expected ? *expected : Json(), weight && weight->is_number() ? weight->as_double() : 1});
    }
  }

  std::vector<std::string> accepted(TomlEntry& entry) {
    std::vector<std::string> out = entry.strings("accepted");
    if (out.empty()) entry.problem("accepted = [\"…\"] is missing: the texts that are right");
    return out;
  }

  StructuredSpec structured(TomlEntry& entry) {
    StructuredSpec out;
    out.tolerance = entry.number("tolerance", tolerances).value_or(out.tolerance);
    out.ordered = entry.strings("ordered");
    out.case_counts = entry.strings("case_counts");
    if (context_.toml.find("generator") != nullptr) {
      out.expected = generated();
    } else {
      out.expected = json_file("expected.json");
    }
    return out;
  }

  // A generated document, its questions, and the answers that show that the grader works.
  Json generated() {
    TomlEntry item(context_.toml, item_file_, "item", context_.problems);
    const Json* table = context_.toml.find("generator");
    if (!table->is_object()) {
      item.problem("generator is no table");
      return {};
    }
    TomlEntry entry(*table, item_file_, "generator", context_.problems);
    const std::size_t before = context_.problems.size();
    LongContextRequest request{.setting = entry.text("setting")};
    request.seed = static_cast<std::uint64_t>(entry.number_required("seed", {0, 1e15}));
    request.tokens = static_cast<std::uint32_t>(entry.number_required("tokens", {long_context_tokens_min, long_context_tokens_max}));
    request.hops = entry.count_or<std::uint32_t>("hops", request.hops, {1, 6});
    entry.finish();
    if (const auto known = long_context_settings(); std::ranges::find(known, request.setting) == known.end()) {
      entry.problem(fmt::format("there is no setting '{}'; there are: {}", request.setting, fmt::join(known, ", ")));
    }
    if (context_.problems.size() > before) return {};
    LongContext made = make_long_context(request);
    context_.documents["document"] = std::move(made.document);
    context_.documents["questions"] = std::move(made.questions);
    context_.answers.push_back({"reference", dump_json(made.expected, 2), true});
    for (std::size_t i = 0; i < made.wrong.size(); ++i) {
      context_.answers.push_back({fmt::format("wrong-{}", i + 1), dump_json(made.wrong[i], 2), false});
    }
    return std::move(made.expected);
  }

  FinalAnswerSpec final_answer(TomlEntry& entry) {
    FinalAnswerSpec out;
    out.value = entry.text("value");
    out.unit = entry.text_or("unit");
    out.tolerance = entry.number("tolerance", tolerances).value_or(out.tolerance);
    out.unit_required = entry.flag_or("unit_required", false);
    if (!out.value.empty() && !plain_number(out.value)) entry.problem(fmt::format("value '{}' is no number or expression", out.value));
    return out;
  }

  void check(TomlEntry& entry, std::string_view expression) {
    if (expression.empty()) return;
    if (const auto good = check_expression(expression); !good) entry.problem(good.error().message);
  }

  PlanSpec plan() {
    PlanSpec out;
    const std::string file = context_.files.name_of("world.toml");
    const std::string_view* text = context_.files.find("world.toml");
    if (text == nullptr) {
      problem("world.toml", "is missing: the state, tools and goals of the world");
      return out;
    }
    const auto toml = parse_toml(*text, file);
    if (!toml) {
      context_.problems.push_back(toml.error().message);
      return out;
    }
    TomlEntry entry(*toml, file, "world", context_.problems);
    out.calls_max = entry.count_or<std::uint32_t>("calls_max", out.calls_max, {1, 1000});
    const Json* state = toml->find("state");
    if (state == nullptr || !state->is_object()) entry.problem("the table [state] is missing");
    else out.state = without_lines(*state);
    for (const Json* table : entry.tables("tool")) out.tools.push_back(tool(*table, file));
    for (const Json* table : entry.tables("goal")) out.goals.push_back(goal(*table, file));
    for (const Json* table : entry.tables("never")) out.never.push_back(goal(*table, file));
    entry.informative({"state"});
    entry.finish();
    if (out.tools.empty() || out.goals.empty()) entry.problem("a world needs tools and goals, under [[tool]] and [[goal]]");
    context_.documents["state"] = dump_json(out.state, 2);
    return out;
  }

  PlanSpec::Tool tool(const Json& table, const std::string& file) {
    TomlEntry entry(table, file, "tool", context_.problems);
    PlanSpec::Tool out{.name = entry.text("name"), .parameters = entry.strings("parameters")};
    for (const Json* one : entry.tables("rule")) {
      TomlEntry rule(*one, file, "rule", context_.problems);
      out.rules.push_back({rule.text("if"), rule.text("else")});
      check(rule, out.rules.back().condition);
      rule.finish();
    }
    for (const Json* one : entry.tables("effect")) {
      TomlEntry effect(*one, file, "effect", context_.problems);
      out.effects.push_back({effect.text("set"), effect.text("to")});
      check(effect, out.effects.back().target);
      check(effect, out.effects.back().value);
      effect.finish();
    }
    entry.finish();
    return out;
  }

  PlanSpec::Goal goal(const Json& table, const std::string& file) {
    TomlEntry entry(table, file, "goal", context_.problems);
    PlanSpec::Goal out{.name = entry.text("name"), .condition = entry.text("if")};
    out.weight = entry.number("weight", weights).value_or(1);
    check(entry, out.condition);
    entry.finish();
    return out;
  }

  const GraderContext& context_;
  std::string item_file_;
};

}  // namespace

GraderSpec read_grader(const GraderContext& context) { return GraderReader(context).read(); }

Json without_lines(const Json& value) {
  if (value.is_array()) {
    Json out = Json::array();
    for (const Json& one : value.as_array()) out.push(without_lines(one));
    return out;
  }
  if (!value.is_object()) return value;
  Json out = Json::object();
  for (const auto& [key, one] : value.as_object()) {
    if (key != lines_member) out.set(key, without_lines(one));
  }
  return out;
}

}  // namespace hearth::eval
