#include "hearth/eval/study/arms_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/toml.h"
#include "hearth/base/toml_entry.h"
#include "hearth/eval/judge/protocol.h"
#include "hearth/eval/study_plan.h"
#include "hearth/upstream/config.h"

namespace hearth::eval {
namespace {

constexpr double seconds_max = 1e6;
constexpr double tokens_max = 1'000'000;
constexpr std::uint32_t person_control_texts = 10;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

// What every table of the file is read with.
struct File {
  std::string_view name;
  std::vector<upstream::EndpointSpec> upstreams;
  TomlProblems problems = {};

  // The upstream that a table names, with its own model where it gives one.
  upstream::EndpointSpec endpoint(TomlEntry& t) {
    const std::string wanted = t.text("upstream");
    const std::string model = t.text_or("model");
    const auto found = std::ranges::find(upstreams, wanted, &upstream::EndpointSpec::name);
    if (found == upstreams.end()) {
      if (!wanted.empty())
        t.problem(fmt::format("upstream = \"{}\": no [[upstream]] of this file is called so", wanted));
      return {};
    }
    upstream::EndpointSpec out = *found;
    if (!model.empty()) out.model = model;
    if (out.model.empty())
      t.problem("'model' is missing; write the service's id of the model here or at its upstream: it is pinned");
    return out;
  }
};

// What has a price has a cap.
double read_money_max(TomlEntry& t, const upstream::Prices& prices, std::string_view who) {
  const double out = t.number("money_max", {0, 1e9}).value_or(0);
  if ((prices.prompt > 0 || prices.answer > 0) && out <= 0)
    t.problem(fmt::format("'money_max' is missing: this {} has a price; write a cap in dollars", who));
  return out;
}

Arm read_arm(const Json& table, File& file) {
  TomlEntry t(table, file.name, "arm", file.problems);
  Arm out;
  out.name = t.text("name");
  out.endpoint = file.endpoint(t);
  out.quantisation = t.text_or("quantisation");
  out.model_digest = t.text_or("model_digest");
  out.engine_build = t.text_or("engine_build");
  out.topology = t.text_or("topology");
  out.temperature = t.number("temperature", {0, 2});
  out.top_p = t.number("top_p", {0, 1});
  out.min_p = t.number("min_p", {0, 1});
  out.top_k = t.count<std::uint32_t>("top_k", {0, 1e6});
  if (t.has("thinking")) out.thinking = t.flag_or("thinking", false);
  out.thinking_tokens = t.count_or<std::uint32_t>("thinking_tokens", 0, {0, tokens_max});
  out.seed = t.count<std::uint64_t>("seed", {0, UINT32_MAX});
  out.parallel = t.count_or<std::uint32_t>("parallel", 1, {1, 64});
  out.start = t.strings("start");
  out.start_seconds_max = t.number("start_seconds_max", {1, seconds_max}).value_or(out.start_seconds_max);
  out.money_max_usd = read_money_max(t, out.endpoint.prices, "arm");
  t.finish();
  if (!out.temperature && out.endpoint.kind != upstream::Kind::anthropic) {
    t.problem("'temperature' is missing: an arm's sampling is pinned, never left to the service");
  }
  return out;
}

JudgeSpec read_judge(const Json& table, std::string_view label, File& file) {
  TomlEntry t(table, file.name, label, file.problems);
  JudgeSpec out;
  out.is_person = t.flag_or("person", false);
  if (!out.is_person) {
    out.endpoint = file.endpoint(t);
    if (t.has("thinking")) out.thinking = t.flag_or("thinking", false);
    out.repeats = t.count_or<std::uint32_t>("repeats", 1, {1, 20});
    out.tokens_max = t.count_or<std::uint32_t>("tokens_max", out.tokens_max, {16, tokens_max});
    out.tries_max = t.count_or<std::uint32_t>("tries_max", out.tries_max, {1, 10});
    out.parallel = t.count_or<std::uint32_t>("parallel", 1, {1, 64});
    out.money_max_usd = read_money_max(t, out.endpoint.prices, "judge");
  }
  t.finish();
  return out;
}

std::optional<NoiseModel> noise_named(std::string_view name) {
  if (name == "near") return near_copies();
  if (name == "rough") return rough_copies();
  if (name == "other") return other_models();
  return {};
}

std::vector<double> read_looks(const Json& table, std::uint32_t generations, TomlEntry& t) {
  t.informative({"looks"});
  const Json* list = table.find("looks");
  if (!list) return {};
  std::vector<double> out;
  if (list->is_array()) {
    for (const Json& one : list->as_array())
      out.push_back(one.is_integer() ? static_cast<double>(one.as_integer()) : 0);
  }
  const bool rises = std::ranges::adjacent_find(out, std::greater_equal<>()) == out.end();
  if (out.empty() || out.front() < 1 || !rises || out.back() != generations) {
    t.problem(fmt::format("looks: expected rising whole numbers that end in {}, the generations", generations));
  }
  return out;
}

std::map<std::string, double> read_weights(const Json& table, TomlEntry& t) {
  t.informative({"class_weights"});
  std::map<std::string, double> out;
  const Json* weights = table.find("class_weights");
  if (!weights) return out;
  if (!weights->is_object()) {
    t.problem("class_weights: expected a table like { code = 2, writing = 1 }");
    return out;
  }
  for (const Json::Member& one : weights->as_object()) {
    if (one.first == lines_member) continue;
    if (one.second.is_number() && one.second.as_double() > 0) out[one.first] = one.second.as_double();
    else t.problem(fmt::format("class_weights.{}: expected a number above 0", one.first));
  }
  return out;
}

StudySettings read_settings(const Json& table, File& file) {
  TomlEntry t(table, file.name, "study", file.problems);
  StudySettings out;
  const auto choice = [&](std::string_view key, std::string_view one, std::string_view other) {
    const std::string chosen = t.text_or(key, std::string(one));
    if (chosen != one && chosen != other) t.problem(fmt::format("{}: expected {} or {}", key, one, other));
    return chosen == other;
  };
  out.margin = t.number("margin", {0.01, 100}).value_or(3) / 100;
  out.margin_is_relative = choice("margin_kind", "absolute", "relative");
  out.generations = t.count_or<std::uint32_t>("generations", out.generations, {1, study_generations_max});
  out.looks = read_looks(table, out.generations, t);
  if (const auto noise = noise_named(t.text_or("noise", "near"))) {
    out.noise = *noise;
  } else {
    t.problem("noise: expected near (copies of one model), rough (two to three bits) or other (another model)");
  }
  const auto sigma = [&](std::string_view key, double& value) {
    if (const auto found = t.number(key, {0, 100})) value = *found / 100;
  };
  sigma("sigma_prompt", out.noise.sigma_prompt);
  sigma("sigma_generation", out.noise.sigma_generation);
  sigma("sigma_judge", out.noise.sigma_judge);
  out.options.alpha = t.number("alpha", {0.01, 50}).value_or(5) / 100;
  out.options.spending = choice("spending", "obrien-fleming", "pocock") ? Spending::pocock : Spending::obrien_fleming;
  out.options.futility = t.flag_or("futility", true);
  out.divergence_decides = t.flag_or("divergence_decides", false);
  out.seed = t.count_or<std::uint64_t>("seed", 1, {0, 9e15});
  out.control_texts = t.count_or<std::uint32_t>("control_texts", out.control_texts, {2, 1'000});
  out.class_weights = read_weights(table, t);
  t.finish();
  return out;
}

Result<> check_arms(const ArmsFile& file, std::string_view name) {
  if (file.arms.size() < 2 || file.arms.size() > arms_max) {
    return fail(Code::invalid_argument, fmt::format("{}: {} [[arm]] tables; expected 2 to {}, the largest first", name,
                                                    file.arms.size(), arms_max));
  }
  for (std::size_t i = 0; i < file.arms.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (file.arms[i].name != file.arms[j].name) continue;
      return fail(Code::invalid_argument,
                  fmt::format("{}: two arms are called {}; expected different names", name, file.arms[i].name));
    }
  }
  if (file.settings.divergence_decides) {
    const auto unknown = std::ranges::find(file.arms, "", &Arm::model_digest);
    if (unknown != file.arms.end()) {
      return fail(Code::invalid_argument,
                  fmt::format("{}: divergence_decides, and arm {} has no model_digest; write the digest of its weights "
                              "as hearth eval kl prints it, or a result could be of any model",
                              name, unknown->name));
    }
  }
  if (file.second_judge && !file.judge)
    return fail(Code::invalid_argument, fmt::format("{}: [second_judge] without [judge]", name));
  return {};
}

}  // namespace

Json Arm::pinned_json() const {
  return Json::object({{"name", name},
                       {"kind", upstream::kind_name(endpoint.kind)},
                       {"model", endpoint.model},
                       {"quantisation", quantisation},
                       {"model_digest", model_digest},
                       {"engine_build", engine_build},
                       {"topology", topology},
                       {"temperature", or_null(temperature)},
                       {"top_p", or_null(top_p)},
                       {"min_p", or_null(min_p)},
                       {"top_k", or_null(top_k)},
                       {"thinking", or_null(thinking)},
                       {"thinking_tokens", thinking_tokens},
                       {"seed", or_null(seed)}});
}

Digest256 Arm::digest() const { return Blake2b().update_sized(dump_json(pinned_json())).finish(); }

Json JudgeSpec::pinned_json() const {
  if (is_person) return Json::object({{"kind", "person"}});
  return Json::object({{"kind", upstream::kind_name(endpoint.kind)},
                       {"model", endpoint.model},
                       {"thinking", or_null(thinking)},
                       {"tokens_max", tokens_max},
                       {"repeats", repeats},
                       {"protocol", judge_protocol_digest().hex()}});
}

std::string JudgeSpec::id() const {
  if (is_person) return "person";
  Json json = pinned_json();
  json.erase("repeats");  // more of them are more of the same
  json.set("name", endpoint.name);
  return Blake2b().update_sized(dump_json(json)).finish().short_hex();
}

const Arm* ArmsFile::find(std::string_view name) const {
  const auto found = std::ranges::find(arms, name, &Arm::name);
  return found == arms.end() ? nullptr : &*found;
}

bool ArmsFile::are_copies() const { return settings.noise.sigma_prompt < other_models().sigma_prompt; }

std::vector<std::string> ArmsFile::secrets() const {
  std::vector<std::string> out;
  const auto add = [&](const std::string& word) {
    if (!word.empty() && std::ranges::find(out, word) == out.end()) out.push_back(word);
  };
  for (const Arm& arm : arms) {
    add(arm.endpoint.model);
    add(arm.quantisation);
    add(arm.name);
  }
  std::ranges::sort(out, std::ranges::greater(), [](const std::string& word) { return word.size(); });
  return out;
}

Result<ArmsFile> parse_arms(std::string_view toml, std::string_view name) {
  const Json root = TRY(parse_toml(toml, name));
  File file{.name = name, .upstreams = {}};
  const Json* upstreams = root.find("upstream");
  file.upstreams = TRY(upstream::read_upstreams(upstreams ? *upstreams : Json(), name));
  TomlEntry t(root, name, "file", file.problems);
  t.informative({"upstream", "study", "judge", "second_judge"});
  const auto table = [&](std::string_view key) -> const Json* {
    const Json* found = root.find(key);
    if (found && !found->is_object()) t.problem(fmt::format("{}: expected a table, [{}]", key, key));
    return found && found->is_object() ? found : nullptr;
  };
  ArmsFile out;
  const Json* study = table("study");
  if (study) out.settings = read_settings(*study, file);
  for (const Json* arm : t.tables("arm")) out.arms.push_back(read_arm(*arm, file));
  if (const Json* judge = table("judge")) out.judge = read_judge(*judge, "judge", file);
  if (const Json* second = table("second_judge")) out.second_judge = read_judge(*second, "second_judge", file);
  t.finish();
  if (!file.problems.empty()) return fail(Code::invalid_argument, fmt::format("{}", fmt::join(file.problems, "\n")));
  // A person's patience is shorter than a service's.
  if (out.judge && out.judge->is_person && !(study && study->find("control_texts")))
    out.settings.control_texts = person_control_texts;
  TRY(check_arms(out, name));
  TRY(comparison_plan(out.settings));
  return out;
}

Result<ComparisonPlan> comparison_plan(const StudySettings& settings) {
  std::vector<double> looks = settings.looks.empty() ? looks_up_to(settings.generations) : settings.looks;
  ComparisonPlan plan = TRY(plan_comparison(settings.noise, std::move(looks), settings.options));
  plan.margin = settings.margin;
  plan.margin_is_relative = settings.margin_is_relative;
  plan.class_weights = settings.class_weights;
  plan.seed = settings.seed;
  return plan;
}

}  // namespace hearth::eval
