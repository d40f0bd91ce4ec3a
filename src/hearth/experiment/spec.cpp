#include "hearth/experiment/spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

#include "hearth/base/toml.h"

namespace hearth::experiment {
namespace {

using Problems = std::vector<std::string>;
constexpr std::array experiment_keys = {"name", "question", "watch", "variables", "phase"};
constexpr std::array phase_keys = {"name", "question", "step", "prediction", "gate"};
constexpr std::array step_keys = {"name", "what", "verb", "command", "arguments", "accept", "time_max_s"};
constexpr std::array prediction_keys = {"name", "statement", "recorded", "before", "after", "holds", "value", "expected",
                                        "within_percent"};
constexpr std::array gate_keys = {"conditions", "note"};
constexpr std::uint32_t time_max_s_max = 30 * 24 * 3600;
constexpr double within_percent_default = 20;

// A table of the file: typed members; faults are collected with their place.
class Table {
 public:
  Table(const Json& table, std::string where, std::string_view file, Problems& problems)
      : table_(table), where_(std::move(where)), file_(file), problems_(problems) {}

  void problem(std::string_view key, std::string what) const {
    const auto line = table_.find(key) == nullptr ? toml_line(table_) : toml_line(table_, key);
    problems_.push_back(fmt::format("{}:{}: {} {}: {}", file_, line, where_, key, what));
  }
  template <class Keys>
  void only(const Keys& keys) const {
    for (const auto& [key, value] : table_.as_object()) {
      if (key == lines_member || std::ranges::find(keys, std::string_view(key)) != keys.end()) continue;
      problem(key, fmt::format("unknown; there are {}", fmt::join(keys, ", ")));
    }
  }
  bool has(std::string_view key) const { return table_.find(key) != nullptr; }
  std::string text(std::string_view key) const {
    const Json* value = table_.find(key);
    if (value != nullptr && !value->is_string()) problem(key, "expected a text in quotes");
    return value != nullptr && value->is_string() ? value->as_string() : "";
  }
  std::string name() const {
    const std::string out = text("name");
    const bool is_good = !out.empty() && std::ranges::all_of(out, [](unsigned char c) {
      return (std::isalnum(c) != 0) || c == '-' || c == '_';
    });
    if (!is_good) problem("name", "expected letters, digits, - and _, for example \"full-cluster\"");
    return out;
  }
  double number(std::string_view key, double fallback) const {
    const Json* value = table_.find(key);
    if (value == nullptr) return fallback;
    if (!value->is_number()) problem(key, "expected a number");
    return value->is_number() ? value->as_double() : fallback;
  }
  std::vector<std::string> texts(std::string_view key) const {
    std::vector<std::string> out;
    const Json* value = table_.find(key);
    if (value == nullptr) return out;
    if (!value->is_array() || !std::ranges::all_of(value->as_array(), &Json::is_string)) {
      problem(key, "expected texts in brackets, for example [\"--model\", \"kimi.gguf\"]");
      return out;
    }
    for (const Json& item : value->as_array()) out.push_back(item.as_string());
    return out;
  }
  // [[key]] tables.
  template <class Read>
  void each(std::string_view key, std::string_view kind, const Read& read) const {
    const Json* list = table_.find(key);
    if (list == nullptr) return;
    if (!list->is_array() || !std::ranges::all_of(list->as_array(), &Json::is_object)) {
      problem(key, fmt::format("expected [[{}]]", kind));
      return;
    }
    for (const Json& item : list->as_array()) read(Table(item, fmt::format("[[{}]]", kind), file_, problems_));
  }
  const Json* find(std::string_view key) const { return table_.find(key); }
  Table child(std::string_view key, const Json& table) const {
    return Table(table, fmt::format("[{}]", key), file_, problems_);
  }

 private:
  const Json& table_;
  const std::string where_;
  const std::string_view file_;
  Problems& problems_;
};

class Variables {
 public:
  explicit Variables(std::string_view results_directory) { values_.emplace_back("results", results_directory); }
  void read(const Table& root) {
    const Json* table = root.find("variables");
    if (table == nullptr) return;
    if (!table->is_object()) return root.problem("variables", "expected [variables] with texts");
    // Values may say $results, and no other: nothing depends on an order.
    std::vector<std::pair<std::string, std::string>> read;
    const Table variables = root.child("variables", *table);
    for (const auto& [name, value] : table->as_object()) {
      if (name == lines_member) continue;
      if (value.is_string()) read.emplace_back(name, with_values(value.as_string(), variables, name));
      else variables.problem(name, "expected a text in quotes");
    }
    values_.insert(values_.end(), read.begin(), read.end());
    // Longer names first: $model_q4 is not $model and "_q4".
    std::ranges::sort(values_, std::greater<>(), [](const auto& each) { return each.first.size(); });
  }
  void put_into(std::vector<std::string>& texts, const Table& table, std::string_view key) const {
    for (std::string& text : texts) text = with_values(text, table, key);
  }

 private:
  std::string with_values(std::string_view text, const Table& table, std::string_view key) const {
    std::string out;
    while (!text.empty()) {
      if (text.front() != '$') {
        out += text.front();
        text.remove_prefix(1);
        continue;
      }
      text.remove_prefix(1);
      if (text.starts_with('$')) {
        out += '$';
        text.remove_prefix(1);
        continue;
      }
      const auto found = std::ranges::find_if(values_, [&](const auto& each) { return text.starts_with(each.first); });
      if (found == values_.end()) {
        table.problem(key, fmt::format("\"${}\" names no value of [variables]; $$ stands for a dollar sign", text));
        return out;
      }
      out += found->second;
      text.remove_prefix(found->first.size());
    }
    return out;
  }

  std::vector<std::pair<std::string, std::string>> values_;
};

// Names are there once; conditions name steps of their phase and of earlier ones.
class Names {
 public:
  void phase(const Table& table, const std::string& name) {
    once(phases_, table, name);
    earlier_ = steps_;
  }
  void step(const Table& table, const std::string& name) { once(steps_, table, name); }
  void prediction(const Table& table, const std::string& name) { once(predictions_, table, name); }
  std::size_t steps() const { return steps_.size(); }

  void find(const Table& table, std::string_view key, const std::string& step) const {
    if (!steps_.contains(step)) table.problem(key, fmt::format("no step '{}' up to there", step));
  }
  void find(const Table& table, std::string_view key, const Condition& condition) const {
    for (const std::string& step : steps_of(condition)) find(table, key, step);
  }
  void find_earlier(const Table& table, std::string_view key, const std::string& step) const {
    if (earlier_.contains(step)) return;
    constexpr const char* what = "names step '{}', which is of no earlier phase: it would not be known before";
    table.problem(key, fmt::format(what, step));
  }

 private:
  static void once(std::set<std::string>& seen, const Table& table, const std::string& name) {
    if (!seen.insert(name).second) table.problem("name", fmt::format("'{}' is there twice", name));
  }
  std::set<std::string> phases_, steps_, predictions_, earlier_;
};

Step read_step(const Table& table, const Variables& variables) {
  table.only(step_keys);
  Step out{.name = table.name(), .what = table.text("what"), .verb = table.texts("verb"),
           .command = table.texts("command"), .arguments = table.texts("arguments")};
  if (out.verb.empty() == out.command.empty()) {
    table.problem("verb", "give either verb = [\"plan\"] of hearth, or command = [\"program\", …]");
  }
  if (!out.command.empty() && !out.arguments.empty()) table.problem("arguments", "belong to verb; put them into command");
  variables.put_into(out.command, table, "command");
  variables.put_into(out.arguments, table, "arguments");
  if (!out.verb.empty()) out.accept.push_back(1);
  if (const Json* accept = table.find("accept")) {
    out.accept.clear();
    const bool are_codes = accept->is_array() && std::ranges::all_of(accept->as_array(), &Json::is_integer);
    if (!are_codes) table.problem("accept", "expected exit codes in brackets, for example [0, 1]");
    else for (const Json& code : accept->as_array()) out.accept.push_back(static_cast<int>(code.as_integer()));
  }
  const double time_max_s = table.number("time_max_s", out.time_max_s);
  if (!(time_max_s >= 1 && time_max_s <= time_max_s_max)) table.problem("time_max_s", "expected 1 second to 30 days");
  else out.time_max_s = static_cast<std::uint32_t>(time_max_s);
  return out;
}

std::optional<Condition> read_condition(const Table& table, std::string_view key, std::string_view text) {
  auto condition = Condition::parse(text);
  if (!condition) table.problem(key, condition.error().message);
  return condition ? std::optional(*std::move(condition)) : std::nullopt;
}

std::optional<ValuePath> read_place(const Table& table, const Names& names, std::string_view key) {
  auto path = ValuePath::parse(table.text(key));
  if (!path) {
    table.problem(key, path.error().message);
    return std::nullopt;
  }
  names.find(table, key, path->step);
  return *std::move(path);
}

std::optional<Recorded> read_recorded(const Table& table, const Names& names) {
  auto statement = read_place(table, names, "recorded");
  auto before = read_place(table, names, "before"), after = read_place(table, names, "after");
  if (!statement || !before || !after) return std::nullopt;
  names.find_earlier(table, "recorded", statement->step);
  return Recorded{.statement = *std::move(statement), .before = *std::move(before), .after = *std::move(after)};
}

// A number, or where an earlier phase has it.
void read_expected(const Table& table, const Names& names, Prediction& out) {
  const Json* expected = table.find("expected");
  if (expected == nullptr) return table.problem("expected", "missing: the number that is predicted, or \"1000 * plan.plans[0].ttft_s.p50\"");
  if (!expected->is_number() && !expected->is_string()) return table.problem("expected", "expected a number, or the place of one in quotes");
  out.expected_text = expected->is_number() ? fmt::format("{}", expected->as_double()) : expected->as_string();
  auto operand = Condition::parse_operand(out.expected_text);
  if (!operand) return table.problem("expected", operand.error().message);
  out.expected = *std::move(operand);
  const auto* source = std::get_if<ValuePath>(&out.expected->value);
  if (source != nullptr) names.find_earlier(table, "expected", source->step);
}

Prediction read_prediction(const Table& table, Names& names) {
  table.only(prediction_keys);
  Prediction out{.name = table.name(), .statement = table.text("statement")};
  names.prediction(table, out.name);
  if (out.statement.empty()) table.problem("statement", "missing: what is predicted, in a sentence");
  if (int{table.has("recorded")} + int{table.has("holds")} + int{table.has("value")} != 1) {
    table.problem("holds", "give one of holds = \"CONDITION\", value = \"STEP.PATH\" with expected, and "
                           "recorded = \"STEP.predictions[0]\" with before and after");
  } else if (table.has("recorded")) {
    out.recorded = read_recorded(table, names);
  } else if (table.has("holds")) {
    out.holds = read_condition(table, "holds", table.text("holds"));
    if (out.holds) names.find(table, "holds", *out.holds);
  } else {
    out.value = read_place(table, names, "value");
    read_expected(table, names, out);
    out.within_percent = table.number("within_percent", within_percent_default);
  }
  return out;
}

Gate read_gate(const Table& phase, const Names& names) {
  Gate out;
  const Json* gate = phase.find("gate");
  if (gate == nullptr) return out;
  if (!gate->is_object()) {
    phase.problem("gate", "expected [phase.gate]");
    return out;
  }
  const Table table = phase.child("phase.gate", *gate);
  table.only(gate_keys);
  for (const std::string& text : table.texts("conditions")) {
    auto condition = read_condition(table, "conditions", text);
    if (!condition) continue;
    names.find(table, "conditions", *condition);
    out.conditions.push_back(*std::move(condition));
  }
  out.note = table.text("note");
  return out;
}

Phase read_phase(const Table& table, const Variables& variables, Names& names) {
  table.only(phase_keys);
  Phase out{.name = table.name(), .question = table.text("question")};
  names.phase(table, out.name);
  table.each("step", "phase.step", [&](const Table& step) {
    out.steps.push_back(read_step(step, variables));
    names.step(step, out.steps.back().name);
  });
  table.each("prediction", "phase.prediction",
             [&](const Table& p) { out.predictions.push_back(read_prediction(p, names)); });
  out.gate = read_gate(table, names);
  if (out.steps.empty()) table.problem("step", "missing: a phase has at least one [[phase.step]]");
  return out;
}

}  // namespace

Digest256 Step::digest() const {
  Blake2b hash;
  for (const auto* list : {&verb, &command, &arguments}) {
    hash.update_number(list->size());
    for (const std::string& text : *list) hash.update_sized(text);
  }
  for (const int code : accept) hash.update_number(code);
  return hash.finish();
}

Digest256 Prediction::digest() const {
  Blake2b hash;
  hash.update_sized(name)
      .update_sized(statement)
      .update_sized(holds ? holds->text : "")
      .update_sized(value ? value->text : "")
      .update_sized(expected_text)
      .update_number(within_percent);
  if (recorded) {  // else as it always was: an experiment that is under way goes on
    for (const ValuePath* path : {&recorded->statement, &recorded->before, &recorded->after}) hash.update_sized(path->text);
  }
  return hash.finish();
}

const Step* Spec::find_step(std::string_view step) const {
  const Phase* phase = phase_of(step);
  return phase == nullptr ? nullptr : &*std::ranges::find(phase->steps, step, &Step::name);
}

const Phase* Spec::phase_of(std::string_view step) const {
  for (const Phase& phase : phases) {
    if (std::ranges::find(phase.steps, step, &Step::name) != phase.steps.end()) return &phase;
  }
  return nullptr;
}

Result<Spec> read_spec(std::string_view toml, std::string_view file_name, std::string_view results_directory) {
  const Json json = TRY(parse_toml(toml, file_name));
  Problems problems;
  const Table root(json, "experiment", file_name, problems);
  root.only(experiment_keys);
  Variables variables(results_directory);
  variables.read(root);
  Spec out{.name = root.name(), .question = root.text("question"), .watch = root.texts("watch")};
  if (out.question.empty()) root.problem("question", "missing: what the experiment is to find out");
  variables.put_into(out.watch, root, "watch");
  Names names;
  root.each("phase", "phase", [&](const Table& phase) { out.phases.push_back(read_phase(phase, variables, names)); });
  if (out.phases.empty()) root.problem("phase", "missing: an experiment has at least one [[phase]]");
  if (out.phases.size() > phases_max || names.steps() > steps_max) {
    root.problem("phase", fmt::format("more than {} phases or {} steps", phases_max, steps_max));
  }
  if (problems.empty()) return out;
  return fail(Code::invalid_argument, fmt::format("{}", fmt::join(problems, "\n")));
}

}  // namespace hearth::experiment
