#include "hearth/bench/sample.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::bench {
namespace {

// A token of text is at least a third of a byte (long words of a large vocabulary are one token of a
// dozen bytes; a byte in no vocabulary is four tokens at most).
constexpr double bytes_per_token_min = 0.25, bytes_per_token_max = 64;
constexpr std::size_t series_items_max = 1'000'000;

Json progress_json(const std::vector<ProgressPoint>& progress) {
  Json out = Json::array();
  for (const ProgressPoint& point : progress) out.push(Json::array({point.tokens, point.at_ms}));
  return out;
}

template <class T>
Json list_json(const std::vector<T>& values) {
  Json out = Json::array();
  for (const T& value : values) out.push(value);
  return out;
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

template <class T>
Result<std::vector<T>> list_of(const Json& json, std::string_view key) {
  std::vector<T> out;
  const Json* list = json.find(key);
  if (list == nullptr) return out;
  if (!list->is_array() || list->as_array().size() > series_items_max) return fail(Code::invalid_argument, fmt::format("{}: expected a list", key));
  for (const Json& item : list->as_array()) out.push_back(TRY(read_json<T>(item, key)));
  return out;
}

Result<std::vector<ProgressPoint>> progress_of(const Json& json) {
  std::vector<ProgressPoint> out;
  const Json* list = json.find("progress");
  if (list == nullptr || !list->is_array() || list->as_array().size() > series_items_max) return out;
  for (const Json& item : list->as_array()) {
    if (!item.is_array() || item.as_array().size() != 2) return fail(Code::invalid_argument, "progress: expected pairs");
    ProgressPoint point;
    point.tokens = TRY(read_json<std::uint32_t>(item.as_array()[0], "progress"));
    point.at_ms = TRY(read_json<double>(item.as_array()[1], "progress"));
    out.push_back(point);
  }
  return out;
}

Result<std::optional<HandOff>> hand_off_of(const Json& json) {
  const Json* object = json.find("hand_off");
  if (object == nullptr || !object->is_object()) return std::nullopt;
  HandOff out;
  out.prefilled_by = TRY(find<std::string>(*object, "prefilled_by")).value_or("");
  out.bytes = TRY(get<std::uint64_t>(*object, "bytes"));
  out.chunks = TRY(get<std::uint32_t>(*object, "chunks"));
  out.hidden_share = TRY(get<double>(*object, "hidden_share"));
  out.tail_ms = TRY(get<double>(*object, "tail_ms"));
  out.import_ms = TRY(find<double>(*object, "import_ms"));
  return out;
}

}  // namespace

std::string case_text(const Case& of) {
  std::string out = of.workload == "fixed" ? fmt::format("{}", of.prompt_tokens) : of.workload;
  if (of.depth > 0) out += fmt::format(" after {}", of.depth);
  if (of.streams > 1) out += fmt::format(", {} streams", of.streams);
  return out;
}

std::optional<double> Sample::prefill_tok_s() const {
  if (!is_good() || prompt_tokens == 0 || computed_tokens() == 0 || ttft_ms <= 0) return std::nullopt;
  return computed_tokens() / ttft_ms * 1e3;
}

std::optional<double> Sample::tpot_ms() const {
  if (!is_good() || answer_tokens < 2 || total_ms <= ttft_ms) return std::nullopt;
  return (total_ms - ttft_ms) / (answer_tokens - 1);
}

std::vector<DepthRate> rates_along(const std::vector<ProgressPoint>& progress) {
  std::vector<DepthRate> out;
  for (std::size_t i = 1; i < progress.size(); ++i) {
    const ProgressPoint &a = progress[i - 1], &b = progress[i];
    if (b.tokens <= a.tokens || b.at_ms <= a.at_ms) continue;
    out.push_back({(a.tokens + b.tokens) / 2.0, (b.tokens - a.tokens) / (b.at_ms - a.at_ms) * 1e3});
  }
  return out;
}

void find_lies(Sample& sample, const Promise& promise) {
  if (!sample.is_good()) return;
  const auto odd = [&](std::string what) { sample.findings.push_back(std::move(what)); };
  if (sample.prompt_tokens == 0) return odd("the server told no token counts: rates of prefill are unknown");
  if (sample.cached_tokens > sample.prompt_tokens) {
    odd(fmt::format("the server says that {} of {} prompt tokens were cached", sample.cached_tokens, sample.prompt_tokens));
    sample.cached_tokens = sample.prompt_tokens;
  }
  const double bytes_per_token = static_cast<double>(promise.prompt_bytes) / sample.prompt_tokens;
  if (bytes_per_token < bytes_per_token_min || bytes_per_token > bytes_per_token_max) {
    odd(fmt::format("the server says {} prompt tokens for {} bytes of text", sample.prompt_tokens, promise.prompt_bytes));
  }
  if (sample.answer_tokens > promise.answer_tokens_max) {
    odd(fmt::format("the server says {} answer tokens; {} were allowed", sample.answer_tokens, promise.answer_tokens_max));
  }
  if (promise.pieces > 0 && sample.answer_tokens < promise.pieces) {
    odd(fmt::format("the server says {} answer tokens and sent {} pieces of text", sample.answer_tokens, promise.pieces));
  }
  if (promise.server_prompt_ms && *promise.server_prompt_ms > sample.ttft_ms * 1.05 + 1) {
    odd(fmt::format("the server says {:.0f} ms for a prompt whose first token came after {:.0f} ms", *promise.server_prompt_ms, sample.ttft_ms));
  }
}

Json sample_json(const Sample& s) {
  Json out = Json::object({{"target", s.target}, {"prompt_tokens_wanted", s.of.prompt_tokens}, {"depth_wanted", s.of.depth},
                           {"answer_tokens_max", s.of.answer_tokens}, {"streams", s.of.streams}, {"workload", s.of.workload},
                           {"repeat", s.repeat}, {"failure", s.failure}, {"sent_at_s", s.sent_at_s}, {"late_ms", s.late_ms},
                           {"ttft_ms", s.ttft_ms}, {"total_ms", s.total_ms}, {"prompt_tokens", s.prompt_tokens},
                           {"cached_tokens", s.cached_tokens}, {"answer_tokens", s.answer_tokens}, {"gaps_ms", list_json(s.gaps_ms)},
                           {"progress", progress_json(s.progress)}, {"server_prefill_tok_s", or_null(s.server_prefill_tok_s)},
                           {"server_decode_tok_s", or_null(s.server_decode_tok_s)}, {"server_prompt_ms", or_null(s.server_prompt_ms)},
                           {"memory_bytes", or_null(s.memory_bytes)},
                           {"energy_j", or_null(s.energy_j)}, {"findings", list_json(s.findings)}});
  if (s.hand_off) {
    out.set("hand_off", Json::object({{"prefilled_by", s.hand_off->prefilled_by}, {"bytes", s.hand_off->bytes}, {"chunks", s.hand_off->chunks},
                                      {"hidden_share", s.hand_off->hidden_share}, {"tail_ms", s.hand_off->tail_ms},
                                      {"import_ms", or_null(s.hand_off->import_ms)}}));
  }
  return out;
}

Result<Sample> parse_sample(std::string_view text) {
  const Json json = TRY(parse_json(text));
  Sample s;
  s.target = TRY(get<std::string>(json, "target"));
  s.of.prompt_tokens = TRY(get<std::uint32_t>(json, "prompt_tokens_wanted"));
  s.of.depth = TRY(get<std::uint32_t>(json, "depth_wanted"));
  s.of.answer_tokens = TRY(get<std::uint32_t>(json, "answer_tokens_max"));
  s.of.streams = TRY(get<std::uint32_t>(json, "streams"));
  s.of.workload = TRY(get<std::string>(json, "workload"));
  s.repeat = TRY(get<std::uint32_t>(json, "repeat"));
  s.failure = TRY(get<std::string>(json, "failure"));
  s.sent_at_s = TRY(get<double>(json, "sent_at_s"));
  s.late_ms = TRY(get<double>(json, "late_ms"));
  s.ttft_ms = TRY(get<double>(json, "ttft_ms"));
  s.total_ms = TRY(get<double>(json, "total_ms"));
  s.prompt_tokens = TRY(get<std::uint32_t>(json, "prompt_tokens"));
  const std::uint32_t cached_tokens = TRY(get<std::uint32_t>(json, "cached_tokens"));
  s.cached_tokens = std::min(cached_tokens, s.prompt_tokens);
  s.answer_tokens = TRY(get<std::uint32_t>(json, "answer_tokens"));
  s.gaps_ms = TRY(list_of<double>(json, "gaps_ms"));
  s.progress = TRY(progress_of(json));
  s.server_prefill_tok_s = TRY(find<double>(json, "server_prefill_tok_s"));
  s.server_decode_tok_s = TRY(find<double>(json, "server_decode_tok_s"));
  s.server_prompt_ms = TRY(find<double>(json, "server_prompt_ms"));
  s.memory_bytes = TRY(find<std::uint64_t>(json, "memory_bytes"));
  s.energy_j = TRY(find<double>(json, "energy_j"));
  s.findings = TRY(list_of<std::string>(json, "findings"));
  s.hand_off = TRY(hand_off_of(json));
  return s;
}

}  // namespace hearth::bench
