#include "hearth/eval/study/arms_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/eval/judge/protocol.h"
#include "hearth/eval/study/toml_table.h"
#include "hearth/eval/study_plan.h"

namespace hearth::eval {
namespace {

constexpr double price_max = 1e6;
constexpr double seconds_max = 1e6;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

std::optional<seal::Reach> reach_named(std::string_view name) {
  for (const seal::Reach one : {seal::Reach::cluster, seal::Reach::house, seal::Reach::remote}) {
    if (seal::reach_name(one) == name) return one;
  }
  return {};
}

upstream::EndpointSpec read_endpoint(TomlTable& t, std::string name) {
  upstream::EndpointSpec out;
  out.name = std::move(name);
  const std::string kind = t.text("kind", "openai");
  if (const auto found = upstream::kind_of_name(kind)) {
    out.kind = *found;
  } else {
    t.problem("kind", "expected hearth, anthropic, openai, llama-server, exo, mlx or vllm-pair");
  }
  out.url = t.text("url");
  out.prefill_url = t.text("prefill_url");
  out.model = t.text("model");
  out.key_variable = t.text("key_variable");
  out.key_file = t.text("key_file");
  const std::string reach = t.text("reach", "remote");
  if (const auto found = reach_named(reach)) {
    out.reach = *found;
  } else {
    t.problem("reach", "expected cluster, house or remote: how far the service is away, whatever its address says");
  }
  out.prices.prompt = t.number("prompt_price", 0, price_max).value_or(0);
  out.prices.cached = t.number("cached_price", 0, price_max).value_or(out.prices.prompt);
  out.prices.cache_write = t.number("cache_write_price", 0, price_max).value_or(out.prices.prompt);
  out.prices.answer = t.number("answer_price", 0, price_max).value_or(0);
  if (const auto silence = t.number("silence_seconds", 1, seconds_max)) out.silence_max = std::chrono::milliseconds(static_cast<std::int64_t>(*silence * 1'000));
  if (out.url.empty()) t.problem("url", "expected where the service is, for example url = \"http://127.0.0.1:8080\"");
  if (out.model.empty()) t.problem("model", "expected the service's id of the model, pinned");
  return out;
}

Result<Arm> read_arm(const Json& table, std::string_view file) {
  TomlTable t(table, file, "[[arm]]");
  Arm out;
  out.name = t.text("name");
  if (out.name.empty()) t.problem("name", "expected a short name, for example name = \"Q8\"");
  out.endpoint = read_endpoint(t, out.name);
  out.quantisation = t.text("quantisation");
  out.model_digest = t.text("model_digest");
  out.engine_build = t.text("engine_build");
  out.topology = t.text("topology");
  out.temperature = t.number("temperature", 0, 2);
  out.top_p = t.number("top_p", 0, 1);
  out.min_p = t.number("min_p", 0, 1);
  if (const auto k = t.count("top_k", 0, 1'000'000)) out.top_k = static_cast<std::uint32_t>(*k);
  out.thinking = t.toggle("thinking");
  out.thinking_tokens = static_cast<std::uint32_t>(t.count("thinking_tokens", 0, 1'000'000).value_or(0));
  out.seed = t.count("seed", 0, UINT32_MAX);
  out.parallel = static_cast<std::uint32_t>(t.count("parallel", 1, 64).value_or(1));
  out.start = t.texts("start");
  out.start_seconds_max = t.number("start_seconds_max", 1, seconds_max).value_or(out.start_seconds_max);
  if (!out.temperature && out.endpoint.kind != upstream::Kind::anthropic) {
    t.problem("temperature", "expected a number: an arm's sampling is pinned, never left to the service");
  }
  TRY(t.finish());
  if (auto checked = upstream::check_spec(out.endpoint); !checked) {
    return std::unexpected(with_context(std::move(checked).error(), fmt::format("{}:{}: arm {}", file, toml_line(table), out.name)));
  }
  return out;
}

Result<JudgeSpec> read_judge(const Json& table, std::string_view file, std::string where) {
  TomlTable t(table, file, "[" + where + "]");
  JudgeSpec out;
  if (t.text("kind") == "person") {
    out.is_person = true;
    TRY(t.finish());
    return out;
  }
  out.endpoint = read_endpoint(t, t.text("name", where == "judge" ? "judge" : "second judge"));
  out.repeats = static_cast<std::uint32_t>(t.count("repeats", 1, 20).value_or(1));
  out.tokens_max = static_cast<std::uint32_t>(t.count("tokens_max", 16, 1'000'000).value_or(out.tokens_max));
  out.tries_max = static_cast<std::uint32_t>(t.count("tries_max", 1, 10).value_or(out.tries_max));
  out.parallel = static_cast<std::uint32_t>(t.count("parallel", 1, 64).value_or(1));
  out.money_max_usd = t.number("money_max", 0, 1e9).value_or(0);
  const bool costs = out.endpoint.prices.prompt > 0 || out.endpoint.prices.answer > 0;
  if (costs && out.money_max_usd <= 0) t.problem("money_max", "expected a cap in dollars: this judge has a price");
  TRY(t.finish());
  if (auto checked = upstream::check_spec(out.endpoint); !checked) {
    return std::unexpected(with_context(std::move(checked).error(), fmt::format("{}:{}: [{}]", file, toml_line(table), where)));
  }
  return out;
}

std::optional<NoiseModel> noise_named(std::string_view name) {
  if (name == "near") return near_copies();
  if (name == "rough") return rough_copies();
  if (name == "other") return other_models();
  return {};
}

std::vector<double> read_looks(TomlTable& t, std::uint32_t generations) {
  const Json* list = t.take("looks");
  if (!list) return {};
  std::vector<double> out;
  if (list->is_array()) {
    for (const Json& one : list->as_array()) out.push_back(one.is_integer() ? static_cast<double>(one.as_integer()) : 0);
  }
  const bool rises = std::ranges::adjacent_find(out, std::greater_equal<>()) == out.end();
  if (out.empty() || out.front() < 1 || !rises || out.back() != generations) {
    t.problem("looks", fmt::format("expected rising whole numbers that end in {}, the generations", generations));
  }
  return out;
}

Result<StudySettings> read_settings(const Json& table, std::string_view file) {
  TomlTable t(table, file, "[study]");
  StudySettings out;
  out.margin = t.number("margin", 0.01, 100).value_or(3) / 100;
  const std::string kind = t.text("margin_kind", "absolute");
  out.margin_is_relative = kind == "relative";
  if (kind != "relative" && kind != "absolute") t.problem("margin_kind", "expected absolute (points) or relative (per cent of the reference)");
  out.generations = static_cast<std::uint32_t>(t.count("generations", 1, study_generations_max).value_or(out.generations));
  out.looks = read_looks(t, out.generations);
  if (const auto noise = noise_named(t.text("noise", "near"))) {
    out.noise = *noise;
  } else {
    t.problem("noise", "expected near (copies of one model), rough (two to three bits) or other (another model)");
  }
  const auto sigma = [&](const char* key, double& value) {
    if (const auto found = t.number(key, 0, 100)) value = *found / 100;
  };
  sigma("sigma_prompt", out.noise.sigma_prompt);
  sigma("sigma_generation", out.noise.sigma_generation);
  sigma("sigma_judge", out.noise.sigma_judge);
  out.options.alpha = t.number("alpha", 0.01, 50).value_or(5) / 100;
  const std::string spending = t.text("spending", "obrien-fleming");
  out.options.spending = spending == "pocock" ? Spending::pocock : Spending::obrien_fleming;
  if (spending != "pocock" && spending != "obrien-fleming") t.problem("spending", "expected obrien-fleming or pocock");
  out.options.futility = t.toggle("futility").value_or(true);
  out.seed = t.count("seed", 0, INT64_MAX).value_or(1);
  out.control_texts = static_cast<std::uint32_t>(t.count("control_texts", 2, 1'000).value_or(out.control_texts));
  if (const Json* weights = t.table("class_weights")) {
    for (const Json::Member& one : weights->as_object()) {
      if (one.first == lines_member) continue;
      if (!one.second.is_number() || !(one.second.as_double() > 0)) t.problem("class_weights", "expected numbers above 0");
      else out.class_weights[one.first] = one.second.as_double();
    }
  }
  TRY(t.finish());
  return out;
}

Result<> check_arms(const ArmsFile& file, std::string_view name) {
  if (file.arms.size() < 2 || file.arms.size() > arms_max) {
    return fail(Code::invalid_argument, fmt::format("{}: {} [[arm]] tables; expected 2 to {}, the largest first", name, file.arms.size(), arms_max));
  }
  for (std::size_t i = 0; i < file.arms.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (file.arms[i].name != file.arms[j].name) continue;
      return fail(Code::invalid_argument, fmt::format("{}: two arms are called {}; expected different names", name, file.arms[i].name));
    }
  }
  if (file.second_judge && !file.judge) return fail(Code::invalid_argument, fmt::format("{}: [second_judge] without [judge]", name));
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
  TomlTable t(root, name, "the file's");
  ArmsFile out;
  if (const Json* study = t.table("study")) out.settings = TRY(read_settings(*study, name));
  const Json* arms = t.take("arm");
  const Json* judge = t.table("judge");
  const Json* second = t.table("second_judge");
  TRY(t.finish());
  if (!arms || !arms->is_array()) return fail(Code::invalid_argument, fmt::format("{}: no [[arm]] table; expected two or more, the largest first", name));
  for (const Json& table : arms->as_array()) {
    if (!table.is_object()) return fail(Code::invalid_argument, fmt::format("{}: arm: expected [[arm]] tables", name));
    Arm arm = TRY(read_arm(table, name));
    out.arms.push_back(std::move(arm));
  }
  if (judge) out.judge = TRY(read_judge(*judge, name, "judge"));
  if (second) out.second_judge = TRY(read_judge(*second, name, "second_judge"));
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
