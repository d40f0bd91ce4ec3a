#include "hearth/eval/study_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hearth/eval/statistics/distributions.h"

namespace hearth::eval {
namespace {

constexpr double seconds_per_hour = 3'600;
constexpr double tokens_per_price = 1e6;
constexpr std::uint32_t prompts_max = 1'000'000;

Result<> check_range(std::string_view field, double value, double low, double high) {
  if (value >= low && value <= high) return {};
  return fail(Code::invalid_argument, fmt::format("{} is {}; expected {} to {}", field, value, low, high));
}

Result<> check(const StudyRequest& r) {
  TRY(check_range("margin", 100 * r.margin, 0.01, 100));
  TRY(check_range("power", 100 * r.power, 50, 99.9));
  TRY(check_range("classes", r.classes, 1, 1'000));
  TRY(check_range("prompts", r.prompts, 2.0 * r.classes, prompts_max));
  TRY(check_range("arms", r.arms, 2, 100));
  TRY(check_range("sigma of prompts", r.noise.sigma_prompt, 0, 1));
  TRY(check_range("sigma of generations", r.noise.sigma_generation, 0, 1));
  TRY(check_range("sigma of the judge", r.noise.sigma_judge, 0, 1));
  TRY(check_range("judge repeats", r.noise.judge_repeats, 1, 1'000));
  if (r.noise.difference_variance(1) <= 0) {
    return fail(Code::invalid_argument, "every sigma is 0: without noise there is nothing to plan");
  }
  if (r.generations) TRY(check_range("generations", *r.generations, 1, 10'000));
  TRY(check_range("answer tokens", r.answer_tokens, 1, 1e9));
  TRY(check_range("tokens per second", r.tokens_per_second, 0.001, 1e9));
  TRY(check_range("load hours", r.load_hours, 0, 1e6));
  TRY(check_range("graded share", r.graded_share, 0, 1));
  TRY(check_range("control share", r.control_share, 0, 100));
  TRY(check_range("input price", r.input_price, 0, 1e6));
  TRY(check_range("output price", r.output_price, 0, 1e6));
  return {};
}

double freedom(const StudyRequest& r) { return static_cast<double>(r.prompts - r.classes); }

double power_at(const StudyRequest& r, double generations, double difference) {
  return pass_probability(difference, r.margin, r.noise.standard_error(r.prompts, generations), freedom(r),
                          r.options.alpha);
}

// The drift with which normal theory has the power that t has in one look: what estimating the
// standard error costs, carried over to several looks.
double effective_drift(const StudyRequest& r, double generations, double difference) {
  const double power = std::clamp(power_at(r, generations, difference), 1e-12, 1 - 1e-12);
  return normal_quantile(1 - r.options.alpha) + normal_quantile(power);
}

Result<ComparisonPlan> design_at(const StudyRequest& r, std::uint32_t generations) {
  std::vector<double> looks = r.one_look ? std::vector<double>{static_cast<double>(generations)}
                                         : looks_up_to(generations);
  ComparisonPlan plan = TRY(plan_comparison(r.noise, std::move(looks), r.options));
  plan.margin = r.margin;
  return plan;
}

Result<> choose_generations(StudyPlan& plan) {
  const StudyRequest& r = plan.request;
  const std::uint32_t first = r.generations.value_or(1);
  const std::uint32_t last = r.generations.value_or(planned_generations_max);
  for (std::uint32_t k = first; k <= last; ++k) {
    plan.comparison = TRY(design_at(r, k));
    plan.generations = k;
    plan.power = plan.comparison->design.pass_probability(effective_drift(r, k, 0));
    plan.is_reachable = plan.power >= r.power;
    if (plan.is_reachable) break;
  }
  return {};
}

double expected_generations(const ComparisonPlan& plan, double drift) {
  const std::vector<double> ends = plan.design.end_probabilities(drift);
  double sum = 0;
  for (std::size_t i = 0; i < ends.size(); ++i) sum += ends[i] * plan.generations[i];
  return sum;
}

void add_costs(StudyPlan& plan) {
  const StudyRequest& r = plan.request;
  const double texts_each = static_cast<double>(r.prompts) * r.arms;  // for each generation
  const double hours_each = texts_each * r.answer_tokens / r.tokens_per_second / seconds_per_hour;
  const double loads = static_cast<double>(r.arms * plan.comparison->generations.size());
  const double gradings_each = texts_each * r.graded_share * (1 + r.control_share) * r.noise.judge_repeats;
  const double price = (r.judge_input_tokens * r.input_price + r.judge_output_tokens * r.output_price) / tokens_per_price;
  const double expected = plan.points.front().generations;
  plan.hours = plan.generations * hours_each + loads * r.load_hours;
  const double share = expected / plan.generations;
  plan.hours_expected = expected * hours_each + share * loads * r.load_hours;
  plan.gradings = plan.generations * gradings_each;
  plan.money = plan.gradings * price;
  plan.money_expected = expected * gradings_each * price;
}

std::string sentence(const StudyPlan& plan) {
  const StudyRequest& r = plan.request;
  const std::string margin = fmt::format("a margin of {:.3g} points", 100 * r.margin);
  if (plan.is_reachable) {
    return fmt::format("{} generations of each of {} prompts, for each arm: a true tie passes {} in {:.0f} of 100 studies.",
                       plan.generations, r.prompts, margin, 100 * plan.power);
  }
  const std::uint32_t needed = prompts_needed(r.noise, plan.generations, r.margin, r.power, r.options.alpha);
  return fmt::format(
      "{} generations of {} prompts pass {} at a true tie in only {:.0f} of 100 studies; for {:.0f} take about {} prompts, "
      "or a wider margin.",
      plan.generations, r.prompts, margin, 100 * plan.power, 100 * r.power, needed);
}

}  // namespace

std::vector<double> looks_up_to(std::uint32_t generations) {
  std::vector<double> out;
  for (std::uint32_t a = 2, b = 3; a < generations; b += a, a = b - a) out.push_back(a);
  out.push_back(generations);
  return out;
}

Result<StudyPlan> plan_study(const StudyRequest& request) {
  TRY(check(request));
  StudyPlan plan{.request = request};
  TRY(choose_generations(plan));
  std::vector<std::uint32_t> shown = {1, 2, 3, 5, 8, 10, plan.generations};
  std::ranges::sort(shown);
  shown.erase(std::unique(shown.begin(), shown.end()), shown.end());
  for (const std::uint32_t k : shown) {
    const double error = request.noise.standard_error(request.prompts, k);
    plan.rows.push_back({.generations = k,
                         .standard_error = error,
                         .resolvable_margin = resolvable_margin(error, request.power, request.options.alpha),
                         .power = power_at(request, k, 0),
                         .prompts_needed = prompts_needed(request.noise, k, request.margin, request.power,
                                                          request.options.alpha)});
  }
  for (const double share : {0.0, 1.0 / 3, 2.0 / 3, 1.0, 5.0 / 3}) {
    const double difference = 0 - share * request.margin;
    const double drift = effective_drift(request, plan.generations, difference);
    plan.points.push_back({.difference = difference,
                           .passes = plan.comparison->design.pass_probability(drift),
                           .generations = expected_generations(*plan.comparison, drift)});
  }
  add_costs(plan);
  plan.sentence = sentence(plan);
  return plan;
}

Json study_plan_json(const StudyPlan& plan) {
  Json rows = Json::array(), points = Json::array(), looks = Json::array();
  for (const GenerationsRow& row : plan.rows) {
    rows.push(Json::object({{"generations", row.generations},
                            {"standard_error", row.standard_error},
                            {"resolvable_margin", row.resolvable_margin},
                            {"power", row.power},
                            {"prompts_needed", row.prompts_needed}}));
  }
  for (const PowerPoint& point : plan.points) {
    points.push(Json::object({{"difference", point.difference},
                              {"passes", point.passes},
                              {"generations", point.generations}}));
  }
  for (std::size_t i = 0; i < plan.comparison->generations.size(); ++i) {
    const Look& look = plan.comparison->design.looks()[i];
    looks.push(Json::object({{"generations", plan.comparison->generations[i]},
                             {"information", look.fraction},
                             {"z_bound", look.z_bound},
                             {"nominal_p", look.nominal_p}}));
  }
  return Json::object({{"reachable", plan.is_reachable},
                       {"margin", plan.request.margin},
                       {"prompts", plan.request.prompts},
                       {"arms", plan.request.arms},
                       {"generations", plan.generations},
                       {"power", plan.power},
                       {"looks", std::move(looks)},
                       {"true_difference", std::move(points)},
                       {"one_look", std::move(rows)},
                       {"hours", plan.hours},
                       {"hours_expected", plan.hours_expected},
                       {"gradings", plan.gradings},
                       {"money", plan.money},
                       {"money_expected", plan.money_expected},
                       {"sentence", plan.sentence}});
}

}  // namespace hearth::eval
