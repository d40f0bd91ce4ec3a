#include "hearth/bench/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hearth/base/json.h"
#include "hearth/base/random.h"
#include "hearth/bench/prompt_text.h"

namespace hearth::bench {
namespace {

Result<TraceRow> parse_row(std::string_view line) {
  const Json json = TRY(parse_json(line));
  TraceRow out;
  out.at_ms = TRY(get<double>(json, "timestamp"));
  out.prompt_tokens = TRY(get<std::uint32_t>(json, "input_length"));
  out.answer_tokens = TRY(get<std::uint32_t>(json, "output_length"));
  if (!(out.at_ms >= 0)) return fail(Code::invalid_argument, "timestamp: expected milliseconds from 0 on");
  if (out.prompt_tokens == 0 || out.prompt_tokens > trace_tokens_max) return fail(Code::invalid_argument, fmt::format("input_length: expected 1 to {} tokens", trace_tokens_max));
  if (out.answer_tokens > trace_tokens_max) return fail(Code::invalid_argument, fmt::format("output_length: expected 0 to {} tokens", trace_tokens_max));
  const Json* blocks = json.find("hash_ids");
  if (blocks == nullptr || blocks->is_null()) return out;
  if (!blocks->is_array() || blocks->as_array().size() > trace_blocks_max) return fail(Code::invalid_argument, "hash_ids: expected a list of numbers");
  for (const Json& id : blocks->as_array()) out.blocks.push_back(TRY(read_json<std::uint64_t>(id, "hash_ids")));
  return out;
}

// Of a lognormal distribution: `mean`, and a standard deviation of its logarithm.
double lognormal(Random& random, double mean, double log_sd) {
  const double normal = std::sqrt(-2 * std::log(1 - random.uniform())) * std::cos(2 * 3.14159265358979323846 * random.uniform());
  return mean * std::exp(log_sd * normal - log_sd * log_sd / 2);
}

constexpr double new_tokens_mean = 9'700, answer_tokens_mean = 528, log_sd = 1.0;
constexpr double shared_prefix_tokens = 12'000;  // system prompt and tools, the same in every session

struct Session {
  std::uint64_t number = 0;
  double at_ms = 0;
  double known_tokens = 0;  // of the conversation so far
};

// A block's name: the same for the shared prefix of all sessions, one's own beyond it.
std::uint64_t block_id(const Session& session, std::uint64_t index, std::uint64_t shared_blocks) {
  return index < shared_blocks ? index : (session.number + 1) * 1'000'000'007ULL + index;
}

}  // namespace

Result<std::vector<TraceRow>> parse_trace(std::string_view text, std::string_view name) {
  std::vector<TraceRow> out;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \r\t") == std::string_view::npos) continue;
    const auto bad = [&](const std::string& what) {
      return fail(Code::invalid_argument, fmt::format("{}:{}: {}; a row is {{\"timestamp\": 0, \"input_length\": 6909, \"output_length\": 343, "
                                                     "\"hash_ids\": [1, 2]}}", name, number, what));
    };
    auto row = parse_row(line);
    if (!row) return bad(row.error().message);
    if (!out.empty() && row->at_ms < out.back().at_ms) return bad("timestamp goes back");
    if (out.size() == trace_rows_max) return bad(fmt::format("more than {} rows", trace_rows_max));
    out.push_back(*std::move(row));
  }
  if (out.empty()) return fail(Code::invalid_argument, fmt::format("{}: no rows", name));
  return out;
}

std::string row_text(const TraceRow& row, std::uint64_t row_number, std::uint32_t block_tokens, double bytes_per_token) {
  const auto wanted = static_cast<std::size_t>(row.prompt_tokens * bytes_per_token);
  const auto block_bytes = std::max<std::size_t>(1, static_cast<std::size_t>(block_tokens * bytes_per_token));
  std::string out;
  out.reserve(wanted);
  for (const std::uint64_t id : row.blocks) {
    if (out.size() >= wanted) break;
    out += prompt_text(id, std::min(block_bytes, wanted - out.size()));
  }
  if (out.size() < wanted) out += prompt_text(~row_number, wanted - out.size());
  return out;
}

std::vector<TraceRow> agent_sessions(const AgentOptions& options, std::uint32_t block_tokens) {
  Random random(options.seed);
  const double prefix = shared_prefix_tokens * options.scale;
  const auto shared_blocks = static_cast<std::uint64_t>(prefix) / block_tokens;
  std::uint64_t sessions_begun = 0;
  std::vector<Session> running;
  for (std::uint32_t i = 0; i < std::max(1U, options.sessions); ++i) {
    running.push_back({sessions_begun++, i * options.pause_s * 1e3 / std::max(1U, options.sessions), prefix});
  }
  std::vector<TraceRow> out;
  while (out.size() < options.turns) {
    Session& session = *std::ranges::min_element(running, {}, &Session::at_ms);
    double prompt = session.known_tokens + std::max(1.0, lognormal(random, new_tokens_mean * options.scale, log_sd));
    if (prompt > options.context_tokens * options.scale) {
      session = {sessions_begun++, session.at_ms, prefix};
      prompt = prefix + std::min(new_tokens_mean * options.scale, options.context_tokens * options.scale - prefix);
    }
    const double answer = std::max(1.0, lognormal(random, answer_tokens_mean * options.scale, log_sd));
    TraceRow row{.at_ms = session.at_ms, .prompt_tokens = static_cast<std::uint32_t>(std::max(1.0, prompt)),
                 .answer_tokens = static_cast<std::uint32_t>(answer), .blocks = {}};
    for (std::uint64_t i = 0; i <= row.prompt_tokens / block_tokens; ++i) row.blocks.push_back(block_id(session, i, shared_blocks));
    session.known_tokens = prompt + answer;
    session.at_ms += -std::log(1 - random.uniform()) * options.pause_s * 1e3;
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace hearth::bench
