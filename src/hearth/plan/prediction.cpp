#include "hearth/plan/prediction.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "hearth/plan/parts_worth.h"

namespace hearth::plan {
namespace {

constexpr double same_band = 0.02;
constexpr std::array all_metrics = {Metric::turn_s, Metric::ttft_s, Metric::prefill_tok_s, Metric::decode_tok_s};
constexpr std::array all_directions = {Direction::lower, Direction::higher, Direction::same};
constexpr std::string_view example = "for example: adding the Sparks makes decode slower by 10 %";

std::string lower(std::string_view text) {
  std::string out;
  for (const char c : text) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

bool says(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words,
                             [&](std::string_view w) { return text.find(w) != std::string::npos; });
}

// A name in full, or a word of its hardware ("spark" in dgx-spark), singular or plural.
std::vector<std::string> machines_in(const std::string& text, const ClusterSpec& spec) {
  std::vector<std::string> exact, by_word;
  for (const Node& node : spec.nodes) {
    if (text.find(lower(node.name)) != std::string::npos) exact.push_back(node.name);
    std::string word;
    for (const char c : lower(node.hardware) + "-") {
      if (c != '-') {
        word += c;
        continue;
      }
      const bool telling = word.size() > 3 && word != "ultra" && word != "macbook";
      if (telling && text.find(word) != std::string::npos &&
          std::ranges::find(by_word, node.name) == by_word.end()) {
        by_word.push_back(node.name);
      }
      word.clear();
    }
  }
  return exact.empty() ? by_word : exact;
}

std::optional<double> size_in(const std::string& text) {
  const std::size_t by = text.find(" by ");
  if (by == std::string::npos) return std::nullopt;
  const char* begin = text.c_str() + by + 4;
  while (*begin != '\0' && (*begin < '0' || *begin > '9')) ++begin;
  char* end = nullptr;
  const double value = std::strtod(begin, &end);
  if (end == begin) return std::nullopt;
  while (*end == ' ') ++end;
  return *end == '%' || std::string_view(end).starts_with("per") ? value / 100 : value - 1;
}

bool rate_metric(Metric metric) {
  return metric == Metric::prefill_tok_s || metric == Metric::decode_tok_s;
}

std::optional<double> value_of(const Plan& plan, Metric metric) {
  switch (metric) {
    case Metric::turn_s:
      return plan.turn_s ? std::optional(plan.turn_s->p50) : std::nullopt;
    case Metric::ttft_s:
      return plan.ttft_s ? std::optional(plan.ttft_s->p50) : std::nullopt;
    case Metric::prefill_tok_s:
      return plan.prefill_tok_s ? std::optional(plan.prefill_tok_s->p50) : std::nullopt;
    case Metric::decode_tok_s:
      return plan.decode_tok_s ? std::optional(plan.decode_tok_s->p50) : std::nullopt;
  }
  return std::nullopt;
}

ClusterSpec without(const ClusterSpec& spec, const std::vector<std::string>& names) {
  std::vector<std::size_t> gone;
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    if (std::ranges::find(names, spec.nodes[i].name) != names.end()) gone.push_back(i);
  }
  return without_nodes(spec, gone);
}

// The best value any plan reaches that some engine can run and that gives `must_use` work.
std::optional<double> best_value(const Question& q, const ClusterSpec& spec,
                                 const Prediction& prediction, std::uint32_t must_use) {
  if (spec.nodes.empty()) return std::nullopt;
  Options options = without_curve(q.options);
  options.must_use = must_use;
  options.unified_only = prediction.unified;
  const SearchResult result = search(spec, q.card, q.workload, *q.calibrations, options);
  std::optional<double> best;
  for (const Plan& plan : result.plans) {
    const auto fits = engines_for(*q.catalog, spec, q.card, plan);
    if (!std::ranges::any_of(fits, &EngineFit::can_run)) continue;
    const std::optional<double> value = value_of(plan, prediction.metric);
    if (!value) continue;
    const bool better = !best || (rate_metric(prediction.metric) ? *value > *best : *value < *best);
    if (better) best = value;
  }
  return best;
}

std::uint32_t named_machines(const Prediction& prediction, const ClusterSpec& spec) {
  std::uint32_t out = 0;
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    if (std::ranges::find(prediction.machines, spec.nodes[i].name) != prediction.machines.end()) {
      out |= 1u << i;
    }
  }
  return out;
}

}  // namespace

std::string_view metric_name(Metric metric) {
  switch (metric) {
    case Metric::turn_s:
      return "turn_s";
    case Metric::ttft_s:
      return "ttft_s";
    case Metric::prefill_tok_s:
      return "prefill_tok_s";
    case Metric::decode_tok_s:
      return "decode_tok_s";
  }
  return "?";
}

std::string_view direction_name(Direction direction) {
  switch (direction) {
    case Direction::lower:
      return "lower";
    case Direction::higher:
      return "higher";
    case Direction::same:
      return "same";
  }
  return "?";
}

Result<Prediction> parse_prediction(std::string_view statement, const ClusterSpec& spec) {
  const std::string text = lower(statement);
  Prediction out{.text = std::string(statement),
                 .machines = machines_in(text, spec),
                 .size = size_in(text),
                 .before = {},
                 .after = {},
                 .planner_says = {}};
  if (out.machines.empty()) {
    std::string names;
    for (const Node& node : spec.nodes) names += (names.empty() ? "" : ", ") + node.name;
    return fail(Code::invalid_argument,
                fmt::format("prediction '{}': names none of the machines {}; {}", statement, names,
                            example));
  }
  if (says(text, {"without", "removing", "dropping", "leaving out"})) {
    out.adding = false;
  } else if (!says(text, {"adding", "with "})) {
    return fail(Code::invalid_argument,
                fmt::format("prediction '{}': say 'adding' or 'without'; {}", statement, example));
  }
  out.unified = says(text, {"pool", "unified", "cluster"});
  if (says(text, {"prefill"})) {
    out.metric = Metric::prefill_tok_s;
  } else if (says(text, {"decode", "decoding", "writing"})) {
    out.metric = Metric::decode_tok_s;
  } else if (says(text, {"first token", "ttft"})) {
    out.metric = Metric::ttft_s;
  }
  const bool rate = rate_metric(out.metric);
  if (says(text, {"slower", "worse"})) {
    out.direction = rate ? Direction::lower : Direction::higher;
  } else if (says(text, {"faster", "better", "quicker"})) {
    out.direction = rate ? Direction::higher : Direction::lower;
  } else if (says(text, {"no difference", "same", "no change"})) {
    out.direction = Direction::same;
  } else {
    return fail(Code::invalid_argument,
                fmt::format("prediction '{}': say faster, slower or no difference; {}", statement,
                            example));
  }
  return out;
}

void expect(Prediction& prediction, const Question& question) {
  const ClusterSpec& all = question.cluster;
  const std::optional<double> with =
      best_value(question, all, prediction, named_machines(prediction, all));
  const ClusterSpec rest = without(all, prediction.machines);
  std::optional<double> less = best_value(question, rest, prediction, 0);
  if (!less && question.options.only) {
    Question any_family = question;
    any_family.options.only.reset();
    less = best_value(any_family, rest, prediction, 0);
  }
  prediction.before = prediction.adding ? less : with;
  prediction.after = prediction.adding ? with : less;
  if (!prediction.before || !prediction.after) {
    prediction.planner_says =
        "cannot say: with or without them no plan that an engine can run is left";
    return;
  }
  prediction.planner_says =
      is_borne_out(prediction.direction, prediction.size, *prediction.before, *prediction.after) ? "agrees" : "disagrees";
}

bool is_borne_out(Direction direction, std::optional<double> size, double before, double after) {
  const double change = after / before - 1;
  const Direction found = std::abs(change) < same_band ? Direction::same
                          : change > 0                 ? Direction::higher
                                                       : Direction::lower;
  return found == direction && (!size || std::abs(change) >= *size);
}

Json prediction_json(const Prediction& p) {
  Json machines = Json::array();
  for (const std::string& name : p.machines) machines.push(name);
  const auto number = [](const std::optional<double>& v) { return v ? Json(*v) : Json(nullptr); };
  return Json::object({{"text", p.text},
                       {"change", p.adding ? "adding" : "removing"},
                       {"machines", std::move(machines)},
                       {"unified", p.unified},
                       {"metric", metric_name(p.metric)},
                       {"direction", direction_name(p.direction)},
                       {"size", number(p.size)},
                       {"planner", Json::object({{"before", number(p.before)},
                                                 {"after", number(p.after)},
                                                 {"says", p.planner_says}})}});
}

Result<Prediction> read_prediction(const Json& json) {
  Prediction out;
  out.text = TRY(get<std::string>(json, "text"));
  const std::string metric = TRY(get<std::string>(json, "metric"));
  const std::string direction = TRY(get<std::string>(json, "direction"));
  const auto known_metric = std::ranges::find(all_metrics, std::string_view(metric), metric_name);
  const auto known_direction = std::ranges::find(all_directions, std::string_view(direction), direction_name);
  if (known_metric == all_metrics.end() || known_direction == all_directions.end()) {
    return fail(Code::invalid_argument, fmt::format("a prediction of '{}' '{}': expected what hearth plan --predict writes",
                                                    metric, direction));
  }
  out.metric = *known_metric;
  out.direction = *known_direction;
  out.size = TRY(find<double>(json, "size"));
  if (const Json* planner = json.find("planner")) {
    out.before = TRY(find<double>(*planner, "before"));
    out.after = TRY(find<double>(*planner, "after"));
    out.planner_says = TRY(get_or<std::string>(*planner, "says", ""));
  }
  return out;
}

}  // namespace hearth::plan
