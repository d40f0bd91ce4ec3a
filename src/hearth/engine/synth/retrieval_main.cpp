// Measures how many planted facts a synthetic model finds, and how fast it is.
//   hearth-synth-retrieval ARCH SIZE TYPE KV TOKENS [FACTS [SEED [THREADS]]]
// prints one line of JSON. The model is made in a temporary directory and removed.

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <span>
#include <string>

#include "hearth/base/file.h"
#include "hearth/engine/synth/retrieval_probe.h"
#include "hearth/engine/synth/synth.h"

namespace hearth::engine {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Result<> measure(std::span<const std::string> words) {
  SynthOptions options;
  options.architecture = TRY(parse_architecture(words[0]));
  options.size = TRY(parse_size(words[1]));
  options.type = TRY(parse_weight_type(words[2]));
  const std::string& cache = words[3];
  const auto tokens = static_cast<std::size_t>(std::strtoull(words[4].c_str(), nullptr, 10));
  const std::size_t facts = words.size() > 5 ? std::strtoull(words[5].c_str(), nullptr, 10) : 48;
  const std::uint64_t seed = words.size() > 6 ? std::strtoull(words[6].c_str(), nullptr, 10) : 1;
  const int threads = words.size() > 7 ? std::atoi(words[7].c_str()) : 2;
  const TemporaryDirectory directory = TRY(TemporaryDirectory::create("hearth-synth"));
  options.output = directory.path() / "model.gguf";
  options.seed = seed;
  auto start = std::chrono::steady_clock::now();
  const SynthReport report = TRY(make_synthetic_model(options, nullptr));
  const double make_seconds = seconds_since(start);
  RetrievalProbe probe = TRY(RetrievalProbe::open(
      options.output, {.q8_0_cache = cache == "q8_0",
                       .context_tokens = static_cast<std::uint32_t>((tokens + 1279) / 256 * 256),
                       .threads = threads}));
  const PlantedText planted = TRY(plant_facts(seed, facts, tokens));
  start = std::chrono::steady_clock::now();
  TRY(probe.read(planted.text, false));
  const double read_seconds = seconds_since(start);
  std::size_t found = 0;
  double surprise = 0;
  start = std::chrono::steady_clock::now();
  for (const Fact& fact : planted.facts) {
    const std::string answer = TRY(probe.ask(fact.question, fact.answer.size()));
    if (answer == fact.answer) ++found;
    if (answer != fact.answer && std::getenv("SHOW_WRONG") != nullptr) {
      fmt::print("  {}{} -> {}\n", fact.question, fact.answer, answer);
    }
    if (tokens <= 10'000) surprise += TRY(probe.surprise(fact.question, fact.answer));
  }
  const double ask_seconds = seconds_since(start);
  fmt::print("{{\"architecture\":\"{}\",\"size\":\"{}\",\"type\":\"{}\",\"kv\":\"{}\","
             "\"tokens\":{},\"facts\":{},\"found\":{},\"surprise\":{:.3f},\"file_bytes\":{},"
             "\"parameters\":{},\"make_s\":{:.2f},\"read_s\":{:.2f},\"ask_s\":{:.2f}}}\n",
             words[0], words[1], words[2], cache, tokens, facts, found,
             surprise / static_cast<double>(facts), report.file_bytes, report.parameters,
             make_seconds, read_seconds, ask_seconds);
  return {};
}

}  // namespace
}  // namespace hearth::engine

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() < 5) {
    fmt::print(stderr,
               "hearth-synth-retrieval ARCH SIZE TYPE KV TOKENS [FACTS [SEED [THREADS]]]\n");
    return 2;
  }
  const auto measured = hearth::engine::measure(words);
  if (measured) return 0;
  fmt::print(stderr, "{}\n", measured.error().message);
  return 1;
}
