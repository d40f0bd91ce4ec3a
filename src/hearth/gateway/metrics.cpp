#include "hearth/gateway/metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::gateway {
namespace {

void write_head(std::string& out, std::string_view name, std::string_view type,
                std::string_view help) {
  out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void write_value(std::string& out, std::string_view name, std::string_view type,
                 std::string_view help, std::uint64_t value) {
  write_head(out, name, type, help);
  out += fmt::format("{} {}\n", name, value);
}

}  // namespace

void Histogram::observe(Duration value) {
  const auto at = std::ranges::lower_bound(bounds_s, seconds(value)) - bounds_s.begin();
  ++counts_[static_cast<std::size_t>(at)];
  sum_us_ += static_cast<std::uint64_t>(std::max(seconds(value), 0.0) * 1e6);
}

void Histogram::write(std::string& out, std::string_view name, std::string_view help) const {
  write_head(out, name, "histogram", help);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < bounds_s.size(); ++i) {
    total += counts_[i];
    out += fmt::format("{}_bucket{{le=\"{}\"}} {}\n", name, bounds_s[i], total);
  }
  total += counts_.back();
  out += fmt::format("{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2}\n{0}_count {1}\n", name, total,
                     static_cast<double>(sum_us_) / 1e6);
}

void Metrics::count_request(std::string_view dialect, int status) {
  const std::lock_guard hold(mutex_);
  ++requests_[{std::string(dialect), status}];
}

std::string Metrics::prometheus(const Gauges& gauges) const {
  std::string out;
  write_head(out, "hearth_requests_total", "counter", "requests answered, by API and HTTP status");
  {
    const std::lock_guard hold(mutex_);
    for (const auto& [key, count] : requests_) {
      out += fmt::format("hearth_requests_total{{api=\"{}\",status=\"{}\"}} {}\n", key.first,
                         key.second, count);
    }
  }
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    write_value(out, fmt::format("hearth_{}_total", name), "counter", help, value);
  };
  counter("prompt_tokens", "tokens of prompts", prompt_tokens);
  counter("cached_prompt_tokens", "of those: their KV was there already", cached_tokens);
  counter("answer_tokens", "tokens generated", answer_tokens);
  counter("thinking_tokens", "of those: inside thinking blocks", thinking_tokens);
  counter("answers_finished", "answers that came to their end", answers_finished);
  counter("answers_failed", "answers broken off by an error", answers_failed);
  counter("answers_abandoned", "answers cancelled because every client had left", answers_abandoned);
  counter("answers_begun_again", "answers whose worker ended before it had said anything", answers_begun_again);
  counter("requests_attached", "requests that joined an answer already running", requests_attached);
  counter("tool_calls", "tool calls given to clients", calls);
  counter("tool_calls_malformed", "of those: arguments were no JSON object", calls_malformed);
  counter("turns_remembered", "earlier answers put into a prompt as they were sampled", turns_remembered);
  counter("turns_rendered", "earlier answers rendered anew", turns_rendered);
  counter("prefixes_departed", "prompts that did not go on from what was known of their conversation",
          prefixes_departed);
  counter("prefix_tokens_lost", "tokens known behind those departures", prefix_tokens_lost);
  counter("tool_types_degraded", "tool types declared to the model as any", tool_types_degraded);
  const auto gauge = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    write_value(out, fmt::format("hearth_{}", name), "gauge", help, value);
  };
  gauge("answers_running", "answers running or waiting", gauges.jobs);
  gauge("reading_tokens_done", "tokens read of the prompts that are being read", gauges.reading_tokens_done);
  gauge("reading_tokens", "tokens of the prompts that are being read", gauges.reading_tokens);
  gauge("connections", "open connections of clients", gauges.connections);
  gauge("body_bytes", "room taken by bodies of requests", gauges.body_bytes);
  gauge("model_ready", "1 when the model is loaded and answers", gauges.model_ready ? 1 : 0);
  gauge("model_stalled_seconds", "how long the model has stood still though it is there; 0 when it works",
        gauges.stalled_s);
  gauge("resident_bytes", "memory of this process", gauges.resident_bytes);
  ttft.write(out, "hearth_time_to_first_token_seconds", "from the request to its first token");
  duration.write(out, "hearth_answer_duration_seconds", "from the request to the end of its answer");
  return out;
}

}  // namespace hearth::gateway
