#include "hearth/experiment/design.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "hearth/base/toml.h"

namespace hearth::experiment {
namespace {

constexpr std::array<std::string_view, 6> kinds = {"plan", "check", "bench", "eval", "model", "command"};
constexpr std::size_t name_bytes_max = 64;

struct Place {
  const Json& table;
  std::string file, section;

  std::unexpected<Error> bad(std::string_view key, std::string_view expected) const {
    return fail(Code::invalid_argument, fmt::format("{}:{}: {}: {}: {}", file, toml_line(table, key), section, key, expected));
  }
  Result<std::string> text(std::string_view key, std::string_view example) const {
    auto value = get_or<std::string>(table, key, "");
    if (!value) return bad(key, fmt::format("expected a text, such as {} = {}", key, example));
    return value;
  }
  Result<std::string> needed_text(std::string_view key, std::string_view example) const {
    auto value = TRY(text(key, example));
    if (value.empty()) return bad(key, fmt::format("is missing; such as {} = {}", key, example));
    return value;
  }
  Result<std::string> file_name(std::string_view key, std::string_view example) const {
    const std::string name = TRY(needed_text(key, example));
    const bool plain = name.size() <= name_bytes_max && std::ranges::all_of(name, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
    if (!plain) return bad(key, fmt::format("'{}' names a folder of evidence: small letters, digits, - and _, such as {}", name, example));
    return name;
  }
  Result<Condition> condition(std::string_view key) const {
    const std::string written = TRY(needed_text(key, "\"check:ok == 1\""));
    auto out = parse_condition(written);
    if (!out) return bad(key, out.error().message);
    return out;
  }
};

template <class T, class Read>
Result<std::vector<T>> read_tables(const Place& parent, std::string_view key, std::size_t most, const Read& read) {
  std::vector<T> out;
  const Json* list = parent.table.find(key);
  if (list == nullptr) return out;
  const std::string section = parent.section.empty() ? std::string(key) : fmt::format("{}.{}", parent.section, key);
  if (!list->is_array()) return parent.bad(key, fmt::format("expected [[{}]] tables", section));
  if (list->as_array().size() > most) return parent.bad(key, fmt::format("at most {} of them", most));
  for (const Json& table : list->as_array()) {
    if (!table.is_object()) return parent.bad(key, fmt::format("expected [[{}]] tables", section));
    out.push_back(TRY(read(Place{table, parent.file, section})));
  }
  return out;
}

Result<> check_keys(const Place& place, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : place.table.as_object()) {
    if (key == lines_member || std::ranges::find(known, key) != known.end()) continue;
    return place.bad(key, fmt::format("is not known here; known are {}", fmt::join(known, ", ")));
  }
  return {};
}

Result<std::vector<std::string>> texts(const Place& place, std::string_view key) {
  std::vector<std::string> out;
  const Json* list = place.table.find(key);
  if (list == nullptr) return out;
  if (!list->is_array()) return place.bad(key, "expected a list of texts, such as [\"--json\"]");
  for (const Json& item : list->as_array()) {
    if (!item.is_string()) return place.bad(key, "expected texts in quotes, numbers too: [\"--repeats\", \"5\"]");
    out.push_back(item.as_string());
  }
  return out;
}

Result<StepDesign> read_step(const Place& place) {
  TRY(check_keys(place, {"name", "kind", "arguments", "time_max_s", "exits"}));
  StepDesign out;
  out.name = TRY(place.file_name("name", "\"bench-split\""));
  out.kind = TRY(place.needed_text("kind", "\"bench\""));
  if (std::ranges::find(kinds, out.kind) == kinds.end()) return place.bad("kind", fmt::format("'{}' is none of {}", out.kind, fmt::join(kinds, ", ")));
  out.arguments = TRY(texts(place, "arguments"));
  if (out.kind == "command" && out.arguments.empty()) return place.bad("arguments", "a command needs its program, such as [\"/usr/bin/true\"]");
  const auto time = get_or<double>(place.table, "time_max_s", out.time_max_s);
  if (!time || !(*time > 0)) return place.bad("time_max_s", "expected seconds, such as 3600");
  out.time_max_s = *time;
  if (const Json* exits = place.table.find("exits")) {
    out.exits.clear();
    if (!exits->is_array()) return place.bad("exits", "expected a list of exit codes, such as [0, 1]");
    for (const Json& item : exits->as_array()) {
      if (!item.is_integer() || item.as_integer() < 0 || item.as_integer() > 255) return place.bad("exits", "expected exit codes from 0 to 255");
      out.exits.push_back(static_cast<int>(item.as_integer()));
    }
  }
  return out;
}

Result<PredictionDesign> read_prediction(const Place& place) {
  TRY(check_keys(place, {"text", "holds_if"}));
  PredictionDesign out;
  out.text = TRY(place.needed_text("text", "\"adding the Sparks makes it slower\""));
  out.condition = TRY(place.condition("holds_if"));
  return out;
}

Result<GateDesign> read_gate(const Place& place) {
  TRY(check_keys(place, {"text", "open_if"}));
  GateDesign out;
  out.text = TRY(place.text("text", "\"nothing blocks\""));
  out.condition = TRY(place.condition("open_if"));
  return out;
}

Result<DecisionDesign> read_decision(const Place& place) {
  TRY(check_keys(place, {"text", "if"}));
  DecisionDesign out;
  out.text = TRY(place.needed_text("text", "\"Q4 is the production pick\""));
  out.condition = TRY(place.condition("if"));
  return out;
}

Result<PhaseDesign> read_phase(const Place& place) {
  TRY(check_keys(place, {"name", "title", "step", "prediction", "gate"}));
  PhaseDesign out;
  out.name = TRY(place.file_name("name", "\"sweep\""));
  out.title = TRY(place.text("title", "\"Software sweep\""));
  out.steps = TRY(read_tables<StepDesign>(place, "step", steps_max, read_step));
  out.predictions = TRY(read_tables<PredictionDesign>(place, "prediction", conditions_max, read_prediction));
  out.gate = TRY(read_tables<GateDesign>(place, "gate", conditions_max, read_gate));
  if (out.steps.empty()) return place.bad("step", "a phase has at least one [[phase.step]]");
  if (out.title.empty()) out.title = out.name;
  return out;
}

std::vector<const Condition*> conditions_of(const PhaseDesign& phase) {
  std::vector<const Condition*> out;
  for (const auto& one : phase.predictions) out.push_back(&one.condition);
  for (const auto& one : phase.gate) out.push_back(&one.condition);
  return out;
}

// Names are unique, and a gate asks only for what has been done by then.
Result<> check_names(const Design& design, std::string_view file) {
  std::set<std::string> phases, steps;
  const auto refuse = [&](const std::string& what) { return fail(Code::invalid_argument, fmt::format("{}: {}", file, what)); };
  for (const PhaseDesign& phase : design.phases) {
    if (!phases.insert(phase.name).second) return refuse(fmt::format("two phases are called {}", phase.name));
    for (const StepDesign& step : phase.steps) {
      if (!steps.insert(step.name).second) return refuse(fmt::format("two steps are called {}", step.name));
    }
    for (const Condition* condition : conditions_of(phase)) {
      for (const Side* side : {&condition->left, &condition->right}) {
        if (!side->step.empty() && !steps.contains(side->step)) {
          return refuse(fmt::format("phase {}: '{}' asks for step {}, which this phase and those before it do not have", phase.name, condition->text, side->step));
        }
      }
    }
  }
  return {};
}

}  // namespace

Result<Design> parse_design(std::string_view text, std::string_view name) {
  const Json toml = TRY(parse_toml(text, name));
  const Place root{toml, std::string(name), ""};
  TRY(check_keys(root, {"name", "question", "phase", "decision", "otherwise"}));
  Design out;
  out.name = TRY(root.file_name("name", "\"sonnet-replacement\""));
  out.question = TRY(root.needed_text("question", "\"Does adding the Sparks make it faster?\""));
  out.phases = TRY(read_tables<PhaseDesign>(root, "phase", phases_max, read_phase));
  out.decisions = TRY(read_tables<DecisionDesign>(root, "decision", conditions_max, read_decision));
  out.otherwise = TRY(root.text("otherwise", "\"nothing is decided\""));
  if (out.phases.empty()) return root.bad("phase", "an experiment has at least one [[phase]]");
  TRY(check_names(out, name));
  return out;
}

std::string predictions_text(const PhaseDesign& phase) {
  Json list = Json::array();
  for (const PredictionDesign& one : phase.predictions) list.push(Json::object({{"text", one.text}, {"holds_if", one.condition.text}}));
  return dump_json(Json::object({{"phase", phase.name}, {"predictions", std::move(list)}}));
}

}  // namespace hearth::experiment
