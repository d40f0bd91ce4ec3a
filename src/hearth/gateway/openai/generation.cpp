#include "hearth/gateway/openai/generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace hearth::gateway::openai {
namespace {

constexpr double temperature_max = 2;
constexpr double penalty_max = 2;
constexpr double repeat_penalty_min = 0.01;
constexpr double repeat_penalty_max = 10;
constexpr double bias_max = 100;
constexpr std::size_t session_key_bytes_max = 256;
constexpr std::string_view include_usage_key = "include_usage";
constexpr std::string_view timings_key = "timings";

bool has_mark(const ChatRequest& request, std::string_view key) {
  const Json* mark = request.extra.find(key);
  return mark != nullptr && mark->is_bool() && mark->as_bool();
}

// -1 is how some servers write "off".
ApiResult<std::optional<int>> find_top_k(const Json& body) {
  const auto top_k = TRY(find_field<std::int64_t>(body, "top_k"));
  if (!top_k) return std::optional<int>();
  if (*top_k < -1) return refuse("top_k", "expected a count, or -1 for no limit");
  constexpr std::int64_t largest = 1 << 24;  // no vocabulary is larger
  return std::optional(static_cast<int>(std::clamp<std::int64_t>(*top_k, 0, largest)));
}

ApiResult<std::optional<double>> find_repeat_penalty(const Json& body) {
  const auto penalty = TRY(
      number_between(body, "repetition_penalty", repeat_penalty_min, repeat_penalty_max));
  if (penalty) return penalty;
  return number_between(body, "repeat_penalty", repeat_penalty_min, repeat_penalty_max);
}

ApiResult<std::pair<Token, double>> read_bias(const std::string& key, const Json& value) {
  const std::string path = field_path("logit_bias", key);
  Token token = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token);
  if (error != std::errc() || end != key.data() + key.size() || token < 0) {
    return refuse("logit_bias", "expected token ids as names, such as \"50256\"");
  }
  if (!value.is_number()) {
    return refuse(path, "expected a number, got " + std::string(value.kind_name()));
  }
  const double bias = value.as_double();
  if (!(bias >= -bias_max && bias <= bias_max)) {
    return refuse(path, "expected a number from -100 to 100");
  }
  return std::pair(token, bias);
}

ApiResult<std::vector<std::pair<Token, double>>> read_biases(const Json& body) {
  std::vector<std::pair<Token, double>> out;
  const Json* map = TRY(find_object(body, "logit_bias"));
  if (map == nullptr) return out;
  if (map->as_object().size() > engine::logit_biases_max) {
    return refuse("logit_bias", fmt::format("expected at most {} tokens", engine::logit_biases_max));
  }
  for (const auto& [key, value] : map->as_object()) {
    const auto bias = TRY(read_bias(key, value));
    out.push_back(bias);
  }
  return out;
}

ApiResult<std::string> read_stop(const Json& stop, const std::string& path) {
  if (!stop.is_string()) {
    return refuse(path, "expected a string, got " + std::string(stop.kind_name()));
  }
  const std::string& text = stop.as_string();
  if (text.empty()) return refuse(path, "is empty");
  if (text.size() > engine::stop_string_bytes_max) {
    return refuse(path, fmt::format("expected at most {} bytes", engine::stop_string_bytes_max));
  }
  return text;
}

}  // namespace

ApiResult<void> expect_body(const Json& body) {
  if (body.is_object()) return {};
  return refuse("", "the body must be a JSON object, got " + std::string(body.kind_name()));
}

ApiResult<std::optional<double>> number_between(const Json& body, std::string_view key,
                                                double smallest, double largest) {
  auto number = TRY(find_field<double>(body, key));
  if (number && !(*number >= smallest && *number <= largest)) {
    return refuse(std::string(key),
                  fmt::format("expected a number from {} to {}", smallest, largest));
  }
  return number;
}

ApiResult<std::optional<std::uint32_t>> find_tokens(const Json& body, std::string_view key) {
  const auto count = TRY(find_field<std::uint64_t>(body, key));
  if (!count) return std::optional<std::uint32_t>();
  constexpr std::uint64_t largest = std::numeric_limits<std::uint32_t>::max();
  return std::optional(static_cast<std::uint32_t>(std::min(*count, largest)));
}

ApiResult<SamplingChoice> read_sampling(const Json& body) {
  SamplingChoice out;
  out.temperature = TRY(number_between(body, "temperature", 0, temperature_max));
  out.top_p = TRY(number_between(body, "top_p", 0, 1));
  out.min_p = TRY(number_between(body, "min_p", 0, 1));
  out.top_k = TRY(find_top_k(body));
  out.frequency_penalty =
      TRY(number_between(body, "frequency_penalty", -penalty_max, penalty_max));
  out.presence_penalty = TRY(number_between(body, "presence_penalty", -penalty_max, penalty_max));
  out.repeat_penalty = TRY(find_repeat_penalty(body));
  const auto seed = TRY(find_field<std::int64_t>(body, "seed"));
  if (seed) out.seed = static_cast<std::uint32_t>(*seed);
  out.logit_bias = TRY(read_biases(body));
  return out;
}

ApiResult<std::vector<std::string>> read_stops(const Json& body) {
  std::vector<std::string> out;
  const Json* stops = body.find("stop");
  if (stops == nullptr || stops->is_null()) return out;
  if (stops->is_string()) {
    std::string only = TRY(read_stop(*stops, "stop"));
    out.push_back(std::move(only));
    return out;
  }
  if (!stops->is_array()) {
    return refuse("stop", "expected a string or an array of strings, got " +
                              std::string(stops->kind_name()));
  }
  if (stops->as_array().size() > engine::stop_strings_max) {
    return refuse("stop", fmt::format("expected at most {} strings", engine::stop_strings_max));
  }
  for (std::size_t i = 0; i < stops->as_array().size(); ++i) {
    std::string one = TRY(read_stop(stops->as_array()[i], item_path("stop", i)));
    out.push_back(std::move(one));
  }
  return out;
}

ApiResult<std::optional<int>> find_alternatives(const Json& body, std::string_view key) {
  const auto count = TRY(find_field<std::uint64_t>(body, key));
  if (!count) return std::optional<int>();
  if (*count > static_cast<std::uint64_t>(engine::logprobs_max)) {
    return refuse(std::string(key),
                  fmt::format("expected a count from 0 to {}", engine::logprobs_max));
  }
  return std::optional(static_cast<int>(*count));
}

ApiResult<void> expect_one(const Json& body, std::string_view key) {
  const auto count = TRY(find_field<std::uint64_t>(body, key));
  if (count.value_or(1) == 1) return {};
  return refuse(std::string(key), "one answer a request is served; expected 1");
}

ApiResult<bool> read_flag(const Json& body, std::string_view key, std::string_view path) {
  const auto flag = TRY(find_field<bool>(body, key, path));
  return flag.value_or(false);
}

ApiResult<std::string> read_session_key(const Json& body) {
  auto key = TRY(find_field<std::string>(body, "prompt_cache_key"));
  if (!key || key->size() > session_key_bytes_max) return std::string();
  return *std::move(key);
}

ApiResult<void> read_stream_options(const Json& body, ChatRequest& out) {
  out.stream = TRY(read_flag(body, "stream"));
  const Json* options = TRY(find_object(body, "stream_options"));
  if (options == nullptr) return {};
  const bool usage = TRY(read_flag(*options, "include_usage", "stream_options"));
  if (usage) out.extra.set(std::string(include_usage_key), true);
  return {};
}

bool includes_usage(const ChatRequest& request) {
  return has_mark(request, include_usage_key);
}

ApiResult<void> read_timings(const Json& body, ChatRequest& out) {
  const bool timings = TRY(read_flag(body, timings_key));
  if (timings) out.extra.set(std::string(timings_key), true);
  return {};
}

bool tells_timings(const ChatRequest& request) { return has_mark(request, timings_key); }

}  // namespace hearth::gateway::openai
