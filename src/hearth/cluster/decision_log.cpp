#include "hearth/cluster/decision_log.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace hearth::cluster {
namespace {

constexpr double error_fade_share = 0.1;
constexpr double error_share_max = 2;  // beyond this it is not a matter of degree
constexpr double right_share = 0.1;

Json optional_json(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

}  // namespace

void PredictionError::observe(double predicted_s, double actual_s) {
  if (predicted_s <= 0 || actual_s <= 0) return;
  const double off = std::min(error_share_max, std::abs(actual_s / predicted_s - 1));
  ++count_;
  share_ += std::max(error_fade_share, 1.0 / count_) * (off - share_);
}

std::optional<double> Decision::actual_s() const {
  if (!chosen) return {};
  return options[*chosen].measured_s;
}

std::optional<double> Decision::best_s() const {
  std::optional<double> best = actual_s();
  if (!best) return {};
  for (const DecidedOption& option : options) {
    const auto known_s = option.measured_s ? option.measured_s : option.predicted_s;
    // The chosen one took what it took, whatever was predicted.
    if (known_s && &option != &options[*chosen]) best = std::min(*best, *known_s);
  }
  return best;
}

std::optional<double> Decision::regret_s() const {
  const auto best = best_s();
  if (!best) return {};
  return *actual_s() - *best;
}

DecisionLog::DecisionLog(std::uint64_t seed, ShadowPolicy policy)
    : random_(seed), policy_(policy) {}

Decision* DecisionLog::find(std::uint64_t id) {
  const auto found = std::find_if(decisions_.rbegin(), decisions_.rend(),
                                  [&](const Decision& d) { return d.id == id; });
  return found == decisions_.rend() ? nullptr : &*found;
}

std::uint64_t DecisionLog::add(std::string request, const Choice& choice) {
  Decision decision;
  decision.id = ++last_id_;
  decision.request = std::move(request);
  decision.chosen = choice.chosen;
  decision.sentence = choice.sentence;
  for (const PrefillOption& option : choice.options) {
    decision.options.push_back(
        {option.name(), option.predicted_s, {}, option.excluded, option.terms});
  }
  decisions_.push_back(std::move(decision));
  if (decisions_.size() > decisions_max) decisions_.pop_front();
  return last_id_;
}

void DecisionLog::count(const Decision& decision) {
  const double actual_s = *decision.actual_s();
  const double regret_s = *decision.regret_s();
  ++summary_.decisions;
  summary_.right += regret_s <= right_share * *decision.best_s();
  summary_.actual_s += actual_s;
  summary_.regret_s += regret_s;
}

void DecisionLog::on_finished(std::uint64_t id, double actual_s, bool as_chosen,
                              std::string outcome) {
  Decision* decision = find(id);
  if (!decision || !decision->chosen || decision->actual_s()) return;
  DecidedOption& option = decision->options[*decision->chosen];
  option.measured_s = actual_s;
  decision->outcome = std::move(outcome);
  if (as_chosen && option.predicted_s) error_.observe(*option.predicted_s, actual_s);
  count(*decision);
}

void DecisionLog::on_failed(std::uint64_t id, std::string outcome) {
  if (Decision* decision = find(id)) decision->outcome = std::move(outcome);
}

void DecisionLog::on_canary(Canary canary) {
  canaries_.push_back(std::move(canary));
  if (canaries_.size() > canaries_max) canaries_.pop_front();
}

void DecisionLog::on_shadow(std::uint64_t id, std::size_t option, double measured_s) {
  ++shadows_;
  shadow_s_ += measured_s;
  Decision* decision = find(id);
  if (!decision || option >= decision->options.size()) return;
  const double regret_before_s = decision->regret_s().value_or(0);
  DecidedOption& tried = decision->options[option];
  tried.measured_s = measured_s;
  if (tried.predicted_s) error_.observe(*tried.predicted_s, measured_s);
  if (decision->actual_s()) summary_.regret_s += *decision->regret_s() - regret_before_s;
}

std::optional<std::size_t> DecisionLog::shadow_check(std::uint64_t id, bool is_idle) {
  const Decision* decision = find(id);
  if (!is_idle || !decision || !decision->actual_s()) return {};
  std::optional<std::size_t> next_best;
  for (std::size_t i = 0; i < decision->options.size(); ++i) {
    const DecidedOption& option = decision->options[i];
    if (i == *decision->chosen || !option.predicted_s || option.measured_s) continue;
    if (!next_best || option.predicted_s < decision->options[*next_best].predicted_s) next_best = i;
  }
  if (!next_best) return {};
  const double cost_s = *decision->options[*next_best].predicted_s;
  if (cost_s > policy_.worth_factor * *decision->best_s()) return {};
  const double allowed_s = policy_.seconds_share_max * summary_.actual_s;
  const double allowed = policy_.request_share_max * static_cast<double>(summary_.decisions);
  if (shadow_s_ + cost_s > allowed_s || static_cast<double>(shadows_ + 1) > allowed) return {};
  // Not the first that fits, or cheap requests alone would be checked.
  if (!random_.chance(policy_.request_share_max * 4)) return {};
  return next_best;
}

Json decision_json(const Decision& decision) {
  Json options = Json::array();
  for (const DecidedOption& option : decision.options) {
    Json entry = Json::object(
        {{"name", option.name}, {"predicted_s", optional_json(option.predicted_s)}});
    if (option.measured_s) entry.set("measured_s", *option.measured_s);
    if (!option.excluded.empty()) entry.set("excluded", option.excluded);
    if (option.predicted_s) entry.set("terms", terms_json(option.terms));
    options.push(std::move(entry));
  }
  return Json::object(
      {{"id", decision.id},
       {"request", decision.request},
       {"options", std::move(options)},
       {"chosen", decision.chosen ? Json(decision.options[*decision.chosen].name) : Json()},
       {"sentence", decision.sentence},
       {"outcome", decision.outcome},
       {"actual_s", optional_json(decision.actual_s())},
       {"best_s", optional_json(decision.best_s())},
       {"regret_s", optional_json(decision.regret_s())}});
}

Json DecisionLog::to_json() const {
  Json decisions = Json::array();
  for (const Decision& decision : decisions_) decisions.push(decision_json(decision));
  Json canaries = Json::array();
  for (const Canary& canary : canaries_) {
    Json entry = Json::object(
        {{"peer", canary.peer}, {"passed", canary.fault.empty()}, {"fault", canary.fault}});
    if (canary.parity) entry.set("parity", parity_json(*canary.parity));
    canaries.push(std::move(entry));
  }
  return Json::object({{"decisions", std::move(decisions)},
                       {"canaries", std::move(canaries)},
                       {"summary", Json::object({{"decisions", summary_.decisions},
                                                 {"within_10_percent", summary_.right},
                                                 {"actual_s", summary_.actual_s},
                                                 {"regret_s", summary_.regret_s},
                                                 {"error_share", error_.share()},
                                                 {"shadow_checks", shadows_},
                                                 {"shadow_s", shadow_s_}})}});
}

}  // namespace hearth::cluster
