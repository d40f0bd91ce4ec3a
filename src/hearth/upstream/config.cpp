#include "hearth/upstream/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "hearth/base/toml.h"

namespace hearth::upstream {
namespace {

constexpr std::array reaches = {seal::Reach::cluster, seal::Reach::house, seal::Reach::remote};
constexpr std::string_view settings =
    "name, kind, url, prefill_url, model, key_variable, key_file, reach, prices, context_tokens, answer_tokens_max, tries, "
    "connect_s, silence_s";

class Reader {
 public:
  explicit Reader(std::string_view name) : name_(name) {}
  std::vector<std::string> problems;

  EndpointSpec read(const Json& table) {
    EndpointSpec out;
    const Json* reach = table.find("reach");
    if (reach == nullptr) complain(table, "reach", "is needed: \"remote\", \"house\" (your network) or \"cluster\" (machines you enrolled)");
    for (const auto& [key, value] : table.as_object()) {
      if (key != lines_member) set(table, key, value, out);
    }
    if (!problems.empty()) return out;
    if (const auto checked = check_spec(out); !checked) {
      problems.push_back(fmt::format("{}:{}: {}", name_, toml_line(table), checked.error().message));
    }
    return out;
  }

 private:
  void set(const Json& table, const std::string& key, const Json& value, EndpointSpec& out) {
    if (key == "name") text(table, key, value, out.name);
    else if (key == "kind") kind(table, value, out);
    else if (key == "url") text(table, key, value, out.url);
    else if (key == "prefill_url") text(table, key, value, out.prefill_url);
    else if (key == "model") text(table, key, value, out.model);
    else if (key == "key_variable") text(table, key, value, out.key_variable);
    else if (key == "key_file") text(table, key, value, out.key_file);
    else if (key == "reach") reach(table, value, out);
    else if (key == "prices") prices(table, value, out);
    else if (key == "context_tokens") count(table, key, value, out.context_tokens);
    else if (key == "answer_tokens_max") count(table, key, value, out.answer_tokens_max);
    else if (key == "tries") tries(table, value, out);
    else if (key == "connect_s") time(table, key, value, out.connect_time_max);
    else if (key == "silence_s") time(table, key, value, out.silence_max);
    else if (key == "key" || key == "api_key") complain(table, key, "does not belong into this file: name an environment variable (key_variable) or a file (key_file)");
    else complain(table, key, fmt::format("is not a setting; there are {}", settings));
  }

  void text(const Json& table, std::string_view key, const Json& value, std::string& target) {
    if (value.is_string()) target = value.as_string();
    else complain(table, key, "expected a text");
  }
  void count(const Json& table, std::string_view key, const Json& value, std::uint32_t& target) {
    if (value.is_integer() && value.as_integer() >= 0 && value.as_integer() <= 100'000'000) target = static_cast<std::uint32_t>(value.as_integer());
    else complain(table, key, "expected a whole number from 0 to 100000000");
  }
  void tries(const Json& table, const Json& value, EndpointSpec& out) {
    if (value.is_integer() && value.as_integer() >= 1 && value.as_integer() <= 10) out.tries_max = static_cast<int>(value.as_integer());
    else complain(table, "tries", "expected a whole number from 1 to 10");
  }
  void time(const Json& table, std::string_view key, const Json& value, Duration& target) {
    if (value.is_number() && value.as_double() > 0 && value.as_double() <= 86'400) {
      target = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value.as_double()));
    } else {
      complain(table, key, "expected seconds, more than 0 and at most 86400");
    }
  }
  void kind(const Json& table, const Json& value, EndpointSpec& out) {
    const auto found = value.is_string() ? kind_of_name(value.as_string()) : std::nullopt;
    if (found) out.kind = *found;
    else complain(table, "kind", "expected one of hearth, anthropic, openai, llama-server, exo, mlx, vllm-pair");
  }
  void reach(const Json& table, const Json& value, EndpointSpec& out) {
    for (const seal::Reach one : reaches) {
      if (value.is_string() && value.as_string() == seal::reach_name(one)) {
        out.reach = one;
        return;
      }
    }
    complain(table, "reach", "expected \"remote\", \"house\" or \"cluster\"");
  }
  void prices(const Json& table, const Json& value, EndpointSpec& out) {
    if (!value.is_object()) return complain(table, "prices", "expected like { prompt = 3.0, cached = 0.3, cache_write = 3.75, answer = 15.0 }");
    for (const auto& [key, price] : value.as_object()) {
      if (key == lines_member) continue;
      double* target = key == "prompt" ? &out.prices.prompt : key == "cached" ? &out.prices.cached
                       : key == "cache_write" ? &out.prices.cache_write : key == "answer" ? &out.prices.answer : nullptr;
      if (target != nullptr && price.is_number()) *target = price.as_double();
      else complain(value, key, "expected a number for one of prompt, cached, cache_write, answer");
    }
  }
  void complain(const Json& table, std::string_view key, std::string_view what) {
    problems.push_back(fmt::format("{}:{}: {} {}", name_, toml_line(table, key), key, what));
  }

  const std::string_view name_;
};

}  // namespace

Result<std::vector<EndpointSpec>> read_upstreams(const Json& tables, std::string_view name) {
  std::vector<EndpointSpec> out;
  if (tables.is_null()) return out;
  const bool is_list = tables.is_array() && tables.as_array().size() <= upstreams_max &&
                       std::ranges::all_of(tables.as_array(), &Json::is_object);
  if (!is_list) return fail(Code::invalid_argument, fmt::format("{}: upstream is no list of tables (at most {}); write [[upstream]]", name, upstreams_max));
  std::vector<std::string> problems;
  std::set<std::string> names = {"local"};
  for (const Json& table : tables.as_array()) {
    Reader reader(name);
    out.push_back(reader.read(table));
    if (reader.problems.empty() && !names.insert(out.back().name).second) {
      reader.problems.push_back(fmt::format("{}:{}: the name {} is taken", name, toml_line(table, "name"), out.back().name));
    }
    std::ranges::move(reader.problems, std::back_inserter(problems));
  }
  if (problems.empty()) return out;
  return fail(Code::invalid_argument, fmt::format("{}", fmt::join(problems, "\n")));
}

}  // namespace hearth::upstream
