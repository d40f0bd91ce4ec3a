#include "hearth/plan/catalog/own_entries.h"

#include <fmt/format.h>

namespace hearth::plan {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) continue;
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

void line(std::string& out, std::string_view key, std::string_view value) {
  if (!value.empty()) out += fmt::format("{} = {}\n", key, quoted(value));
}
template <class T>
  requires std::is_arithmetic_v<T>
void line(std::string& out, std::string_view key, T value) {
  out += fmt::format("{} = {}\n", key, value);
}
template <class T>
void line(std::string& out, std::string_view key, const std::optional<T>& value) {
  if (value) line(out, key, *value);
}
void origin(std::string& out, const Origin& from) {
  line(out, "source", from.source);
  line(out, "confidence", confidence_name(from.confidence));
}

std::string machine_toml(const Machine& machine) {
  std::string out = "[[machine]]\n";
  line(out, "key", machine.key);
  line(out, "name", machine.name);
  line(out, "backend", machine.backend);
  line(out, "memory_bytes", machine.memory_bytes);
  line(out, "planning_bytes", machine.planning_bytes);
  line(out, "planning_reason", machine.planning_reason);
  line(out, "memory_bandwidth_gb_s", machine.memory_bandwidth_gb_s);
  line(out, "storage_read_gb_s", machine.storage_read_gb_s);
  origin(out, machine.origin);
  for (const PrefillPrior& prior : machine.prefill_priors) {
    out += "[[machine.prefill_tflops_effective]]\n";
    line(out, "class", prior.model_class);
    line(out, "low", prior.low_tflops);
    line(out, "high", prior.high_tflops);
    origin(out, prior.origin);
  }
  return out;
}

std::string run_toml(const OwnRun& run) {
  std::string out = "\n[[run]]\n";
  line(out, "id", run.id);
  line(out, "hardware", run.hardware);
  line(out, "architecture", run.architecture);
  line(out, "phase", run.phase);
  line(out, "weights_bytes", run.weights_bytes);
  line(out, "depth", run.depth);
  line(out, "tokens", run.tokens);
  line(out, "ubatch", run.ubatch);
  if (run.lent) line(out, "lent", true);
  line(out, "seconds", run.seconds);
  line(out, "spread", run.spread);
  line(out, "date", run.date);
  origin(out, run.origin);
  return out;
}

std::string link_toml(const Link& link) {
  std::string out = "\n[[link]]\n";
  line(out, "key", link.key);
  line(out, "name", link.name);
  line(out, "transport", link.transport);
  std::string ends;
  for (const std::string& end : link.between) ends += (ends.empty() ? "" : ", ") + quoted(std::string_view(end));
  out += fmt::format("between = [{}]\n", ends);
  line(out, "effective_gb_s", link.effective_gb_s);
  line(out, "effective_low_gb_s", link.effective_low_gb_s);
  line(out, "effective_high_gb_s", link.effective_high_gb_s);
  line(out, "latency_us", link.latency_us);
  if (const auto& probed = link.probed) {
    line(out, "there_gb_s", probed->there_gb_s);
    line(out, "there_spread", probed->there_spread);
    line(out, "back_gb_s", probed->back_gb_s);
    line(out, "back_spread", probed->back_spread);
    line(out, "round_trip_ms", probed->round_trip_ms);
    line(out, "round_trip_spread", probed->round_trip_spread);
    line(out, "date", probed->date);
  }
  origin(out, link.origin);
  return out;
}

}  // namespace

std::string own_entries_toml(const Machine& machine, std::span<const OwnRun> runs, std::span<const Link> links) {
  std::string out = machine_toml(machine);
  for (const Link& link : links) out += link_toml(link);
  for (const OwnRun& run : runs) out += run_toml(run);
  return out;
}

}  // namespace hearth::plan
