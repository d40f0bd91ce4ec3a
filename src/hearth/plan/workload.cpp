#include "hearth/plan/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>

namespace hearth::plan {
namespace {

constexpr double tokens_max = 1e8;
constexpr std::string_view example =
    "for example prompt=20000,new=500,output=800,streams=1,context=64000,ttft=10,decode=12";

Result<double> parse_number(std::string_view key, std::string_view text) {
  double value = 0;
  const std::string copy(text);
  char* end = nullptr;
  value = std::strtod(copy.c_str(), &end);
  if (copy.empty() || *end != '\0' || !std::isfinite(value)) {
    return fail(Code::invalid_argument,
                fmt::format("workload: {} = '{}' is not a number; {}", key, text, example));
  }
  return value;
}

}  // namespace

std::uint64_t Workload::new_tokens() const {
  const double kept = static_cast<double>(prompt_tokens) * (1 - cached_share);
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(kept)));
}

const std::vector<Workload>& standard_workloads() {
  static const std::vector<Workload> all = {
      {.name = "reflective",
       .title = "long reflective session, memory files loaded",
       .context_tokens = 65536,
       .prompt_tokens = 40000,
       .cached_share = 0.985,
       .output_tokens = 800,
       .streams = 1,
       .bar = {.ttft_s_max = 15, .decode_tok_s_min = 10},
       .why = "two to three hours of talk over loaded files: about 600 new tokens a turn; a person "
              "reads at 5 to 8 tokens a second"},
      {.name = "writing",
       .title = "long-form writing",
       .context_tokens = 65536,
       .prompt_tokens = 24000,
       .cached_share = 0.9,
       .output_tokens = 3000,
       .streams = 1,
       .bar = {.ttft_s_max = 60, .decode_tok_s_min = 10},
       .why = "a draft of 3,000 tokens over earlier writing as style"},
      {.name = "agentic",
       .title = "agent at long context: 200k window, 86 % of each call cached",
       .context_tokens = 200000,
       .prompt_tokens = 67900,
       .cached_share = 0.857,
       .output_tokens = 528,
       .streams = 1,
       .bar = {.ttft_s_max = 60, .decode_tok_s_min = 12},
       .why = "means of 9.3 million calls of coding agents (GitHubCopilotCodingAgentDataset2026); "
              "memory for 200,000 tokens"},
      {.name = "batch",
       .title = "batch evaluation, four streams",
       .context_tokens = 16384,
       .prompt_tokens = 4096,
       .cached_share = 0,
       .output_tokens = 1000,
       .streams = 4,
       .bar = {.ttft_s_max = std::nullopt, .decode_tok_s_min = 4},
       .why = "prompts of an evaluation, no shared prefix counted"},
  };
  return all;
}

Result<Workload> find_workload(std::string_view name) {
  std::string known;
  for (const Workload& workload : standard_workloads()) {
    if (workload.name == name) return workload;
    known += (known.empty() ? "" : ", ") + workload.name;
  }
  if (name.find('=') != std::string_view::npos) return parse_workload(name);
  return fail(Code::not_found, fmt::format("no workload '{}'; there are {}, or describe one: {}",
                                           name, known, example));
}

Result<Workload> parse_workload(std::string_view text) {
  std::map<std::string, double, std::less<>> values;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find(','));
    rest = part.size() == rest.size() ? "" : rest.substr(part.size() + 1);
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) {
      return fail(Code::invalid_argument,
                  fmt::format("workload: '{}' is no key=value; {}", part, example));
    }
    const std::string key(part.substr(0, equals));
    static constexpr std::array<std::string_view, 8> known = {
        "prompt", "new", "cached", "output", "streams", "context", "ttft", "decode"};
    if (std::ranges::find(known, key) == known.end()) {
      return fail(Code::invalid_argument,
                  fmt::format("workload: unknown key '{}'; {}", key, example));
    }
    values[key] = TRY(parse_number(key, part.substr(equals + 1)));
    const bool absurd = values[key] < 0 || values[key] > tokens_max;
    if (absurd) {
      return fail(Code::invalid_argument, fmt::format("workload: {} = {}: expected 0 to {:g}; {}",
                                                      key, values[key], tokens_max, example));
    }
  }
  if (!values.contains("prompt") || !values.contains("output")) {
    return fail(Code::invalid_argument,
                fmt::format("workload: give prompt and output, {}", example));
  }
  if (values.contains("new") && values.contains("cached")) {
    return fail(Code::invalid_argument,
                "workload: new and cached say the same thing twice; give one");
  }
  Workload out{.name = "own", .title = std::string(text), .why = "given on the command line"};
  out.prompt_tokens = static_cast<std::uint64_t>(values["prompt"]);
  out.output_tokens = static_cast<std::uint64_t>(values["output"]);
  if (values.contains("new") && values["prompt"] > 0)
    out.cached_share = 1 - values["new"] / values["prompt"];
  if (values.contains("cached")) out.cached_share = values["cached"];
  out.streams = values.contains("streams") ? static_cast<std::uint32_t>(values["streams"]) : 1;
  out.context_tokens = values.contains("context") ? static_cast<std::uint64_t>(values["context"])
                                                  : out.prompt_tokens + out.output_tokens;
  if (values.contains("ttft")) out.bar.ttft_s_max = values["ttft"];
  if (values.contains("decode")) out.bar.decode_tok_s_min = values["decode"];
  TRY(check_workload(out));
  return out;
}

Result<> check_workload(const Workload& workload) {
  const auto bad = [&](std::string_view what) {
    return fail(Code::invalid_argument,
                fmt::format("workload '{}': {}; {}", workload.name, what, example));
  };
  if (workload.prompt_tokens == 0) return bad("a prompt of 0 tokens");
  if (workload.output_tokens == 0) return bad("an output of 0 tokens");
  if (workload.streams == 0 || workload.streams > streams_max)
    return bad("streams must be 1 to 1024");
  if (workload.cached_share < 0 || workload.cached_share > 1) {
    return bad("the cached share must be 0 to 1 (new tokens at most the prompt)");
  }
  if (workload.context_tokens < workload.prompt_tokens + workload.output_tokens) {
    return bad(fmt::format("context {} is smaller than prompt {} and output {} together",
                           workload.context_tokens, workload.prompt_tokens,
                           workload.output_tokens));
  }
  return {};
}

}  // namespace hearth::plan
