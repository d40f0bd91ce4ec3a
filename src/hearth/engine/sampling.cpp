#include "hearth/engine/sampling.h"

#include <fmt/format.h>

#include <limits>

namespace hearth::engine {
namespace {

Result<double> read_in_range(const Json& object, std::string_view key, double fallback, double low,
                             double high, std::string_view path) {
  const double value = TRY(get_or<double>(object, key, double{fallback}, path));
  if (!(value >= low && value <= high)) {
    return fail(Code::invalid_argument, fmt::format("{}.{}: {} is outside {} to {}", path, key,
                                                    value, low, high));
  }
  return value;
}

Result<std::vector<std::pair<Token, double>>> read_logit_bias(const Json& object,
                                                                     std::string_view path) {
  std::vector<std::pair<Token, double>> out;
  const Json* list = object.find("logit_bias");
  if (list == nullptr || list->is_null()) return out;
  const std::string where = fmt::format("{}.logit_bias", path);
  if (!list->is_array() || list->as_array().size() > logit_biases_max) {
    return fail(Code::invalid_argument, fmt::format("{}: expected an array of at most {} [token, bias] "
                                                    "pairs", where, logit_biases_max));
  }
  for (const Json& pair : list->as_array()) {
    if (!pair.is_array() || pair.as_array().size() != 2) {
      return fail(Code::invalid_argument, fmt::format("{}: expected [token, bias] pairs", where));
    }
    const auto token = TRY(read_json<std::int64_t>(pair.as_array()[0], where));
    const auto bias = TRY(read_json<double>(pair.as_array()[1], where));
    out.emplace_back(static_cast<Token>(token), bias);
  }
  return out;
}

template <class T>
Result<std::vector<T>> read_list(const Json& object, std::string_view key, std::string_view path) {
  std::vector<T> out;
  const Json* list = object.find(key);
  if (list == nullptr || list->is_null()) return out;
  const std::string where = fmt::format("{}.{}", path, key);
  if (!list->is_array()) return fail(Code::invalid_argument, where + ": expected an array");
  for (const Json& item : list->as_array()) {
    if constexpr (std::is_same_v<T, std::string>) {
      out.push_back(TRY(read_json<std::string>(item, where)));
    } else {
      out.push_back(static_cast<T>(TRY(read_json<std::int64_t>(item, where))));
    }
  }
  return out;
}

}  // namespace

Result<SamplingOptions> read_sampling(const Json& object, std::string_view path) {
  SamplingOptions out;
  out.temperature = TRY(read_in_range(object, "temperature", out.temperature, 0, 10, path));
  out.top_k = static_cast<int>(TRY(read_in_range(object, "top_k", out.top_k, 0, 1 << 24, path)));
  out.top_p = TRY(read_in_range(object, "top_p", out.top_p, 0, 1, path));
  out.min_p = TRY(read_in_range(object, "min_p", out.min_p, 0, 1, path));
  out.repeat_penalty = TRY(read_in_range(object, "repeat_penalty", out.repeat_penalty, 0.01, 10, path));
  out.frequency_penalty = TRY(read_in_range(object, "frequency_penalty", 0, -10, 10, path));
  out.presence_penalty = TRY(read_in_range(object, "presence_penalty", 0, -10, 10, path));
  out.penalty_last_n =
      static_cast<int>(TRY(read_in_range(object, "penalty_last_n", out.penalty_last_n, 0, 65536, path)));
  out.seed = static_cast<std::uint32_t>(
      TRY(read_in_range(object, "seed", 0, 0, std::numeric_limits<std::uint32_t>::max(), path)));
  out.logit_bias = TRY(read_logit_bias(object, path));
  out.grammar = TRY(get_or<std::string>(object, "grammar", {}, path));
  if (out.grammar.size() > grammar_bytes_max) {
    return fail(Code::invalid_argument, fmt::format("{}.grammar: {} bytes; at most {} are accepted",
                                                    path, out.grammar.size(), grammar_bytes_max));
  }
  out.grammar_trigger_tokens = TRY(read_list<Token>(object, "grammar_trigger_tokens", path));
  out.grammar_trigger_patterns = TRY(read_list<std::string>(object, "grammar_trigger_patterns", path));
  return out;
}

Json sampling_json(const SamplingOptions& options) {
  Json out = Json::object({{"temperature", options.temperature},
                           {"top_k", options.top_k},
                           {"top_p", options.top_p},
                           {"min_p", options.min_p},
                           {"repeat_penalty", options.repeat_penalty},
                           {"frequency_penalty", options.frequency_penalty},
                           {"presence_penalty", options.presence_penalty},
                           {"penalty_last_n", options.penalty_last_n},
                           {"seed", options.seed}});
  if (!options.logit_bias.empty()) {
    Json list = Json::array();
    for (const auto& [token, bias] : options.logit_bias) list.push(Json::array({token, bias}));
    out.set("logit_bias", std::move(list));
  }
  if (!options.grammar.empty()) out.set("grammar", options.grammar);
  if (!options.grammar_trigger_tokens.empty()) {
    Json list = Json::array();
    for (const Token token : options.grammar_trigger_tokens) list.push(token);
    out.set("grammar_trigger_tokens", std::move(list));
  }
  if (!options.grammar_trigger_patterns.empty()) {
    Json list = Json::array();
    for (const auto& pattern : options.grammar_trigger_patterns) list.push(pattern);
    out.set("grammar_trigger_patterns", std::move(list));
  }
  return out;
}

}  // namespace hearth::engine
