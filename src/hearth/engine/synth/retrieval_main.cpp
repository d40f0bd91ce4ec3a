// Measures how many planted facts a synthetic model finds, and how fast it is; see `usage`.
// The model is made in a temporary directory and removed.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "hearth/base/file.h"
#include "hearth/engine/synth/retrieval_probe.h"
#include "hearth/engine/synth/synth.h"

namespace hearth::engine {
namespace {

constexpr std::string_view usage =
    R"(hearth-synth-retrieval ARCH SIZE TYPE KV TOKENS [options]

Makes a synthetic model, lets it read a text with planted facts, asks for each of them, and prints
one line of JSON: how many it found, and how long that took.

  ARCH        kimi, qwen3moe or llama
  SIZE        tiny, small or medium
  TYPE        of the weights: f16, q8_0, q4_k or q2_k
  KV          of the KV cache: f16 or q8_0
  TOKENS      length of the text

  --facts N   planted in the text (48)
  --seed N    of the model and of the facts (1)
  --threads N (2)
  --wrong     also print each question that was answered wrongly
  --help      this text

example: hearth-synth-retrieval kimi tiny q8_0 f16 32000
)";

constexpr std::size_t tokens_max = 1'000'000;

struct Request {
  SynthOptions synth;
  bool q8_0_cache = false;
  std::size_t tokens = 0;
  std::size_t facts = 48;
  int threads = 2;
  bool shows_wrong = false;
};

Result<std::uint64_t> parse_number(std::string_view name, std::string_view word,
                                   std::uint64_t smallest, std::uint64_t largest) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  const bool is_number = error == std::errc() && end == word.data() + word.size();
  if (is_number && value >= smallest && value <= largest) return value;
  return fail(Code::invalid_argument, fmt::format("{}: '{}' is not a number from {} to {}", name,
                                                  word, smallest, largest));
}

Result<bool> is_q8_0(std::string_view word) {
  if (word == "q8_0") return true;
  if (word == "f16") return false;
  return fail(Code::invalid_argument, fmt::format("KV: '{}' is neither f16 nor q8_0", word));
}

Result<Request> parse_request(std::span<const std::string> words) {
  if (words.size() < 5) {
    return fail(Code::invalid_argument, "ARCH, SIZE, TYPE, KV and TOKENS are needed; see --help");
  }
  Request out;
  out.synth.architecture = TRY(parse_architecture(words[0]));
  out.synth.size = TRY(parse_size(words[1]));
  out.synth.type = TRY(parse_weight_type(words[2]));
  out.q8_0_cache = TRY(is_q8_0(words[3]));
  out.tokens = TRY(parse_number("TOKENS", words[4], 1, tokens_max));
  for (std::size_t i = 5; i < words.size(); ++i) {
    const std::string& flag = words[i];
    if (flag == "--wrong") {
      out.shows_wrong = true;
      continue;
    }
    const bool is_known = flag == "--facts" || flag == "--seed" || flag == "--threads";
    if (!is_known || i + 1 == words.size()) {
      return fail(Code::invalid_argument,
                  fmt::format("'{}' {}; see --help", flag,
                              is_known ? "needs a number" : "is not an option"));
    }
    const std::string& value = words[++i];
    if (flag == "--facts") out.facts = TRY(parse_number(flag, value, 1, tokens_max));
    if (flag == "--seed") out.synth.seed = TRY(parse_number(flag, value, 0, UINT64_MAX));
    if (flag == "--threads") {
      out.threads = static_cast<int>(TRY(parse_number(flag, value, 1, 1'024)));
    }
  }
  return out;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Result<> measure(Request request) {
  const TemporaryDirectory directory = TRY(TemporaryDirectory::create("hearth-synth"));
  request.synth.output = directory.path() / "model.gguf";
  auto start = std::chrono::steady_clock::now();
  const SynthReport report = TRY(make_synthetic_model(request.synth, nullptr));
  const double make_seconds = seconds_since(start);
  RetrievalProbe probe = TRY(RetrievalProbe::open(
      request.synth.output,
      {.q8_0_cache = request.q8_0_cache,
       .context_tokens = static_cast<std::uint32_t>((request.tokens + 1279) / 256 * 256),
       .threads = request.threads}));
  const PlantedText planted = TRY(plant_facts(request.synth.seed, request.facts, request.tokens));
  start = std::chrono::steady_clock::now();
  TRY(probe.read(planted.text, false));
  const double read_seconds = seconds_since(start);
  std::size_t found = 0;
  double surprise = 0;
  start = std::chrono::steady_clock::now();
  for (const Fact& fact : planted.facts) {
    const std::string answer = TRY(probe.ask(fact.question, fact.answer.size()));
    if (answer == fact.answer) ++found;
    if (answer != fact.answer && request.shows_wrong) {
      fmt::print("  {}{} -> {}\n", fact.question, fact.answer, answer);
    }
    if (request.tokens <= 10'000) surprise += TRY(probe.surprise(fact.question, fact.answer));
  }
  const double ask_seconds = seconds_since(start);
  fmt::print("{{\"architecture\":\"{}\",\"size\":\"{}\",\"type\":\"{}\",\"kv\":\"{}\","
             "\"tokens\":{},\"facts\":{},\"found\":{},\"surprise\":{:.3f},\"file_bytes\":{},"
             "\"parameters\":{},\"make_s\":{:.2f},\"read_s\":{:.2f},\"ask_s\":{:.2f}}}\n",
             word_of(request.synth.architecture), word_of(request.synth.size),
             word_of(request.synth.type), request.q8_0_cache ? "q8_0" : "f16", request.tokens,
             request.facts, found, surprise / static_cast<double>(request.facts),
             report.file_bytes, report.parameters, make_seconds, read_seconds, ask_seconds);
  return {};
}

}  // namespace
}  // namespace hearth::engine

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (std::ranges::find(words, "--help") != words.end()) {
    fmt::print("{}", hearth::engine::usage);
    return 0;
  }
  auto request = hearth::engine::parse_request(words);
  if (!request) {
    fmt::print(stderr, "hearth-synth-retrieval: {}\n", request.error().message);
    return 2;
  }
  const auto measured = hearth::engine::measure(*std::move(request));
  if (measured) return 0;
  fmt::print(stderr, "hearth-synth-retrieval: {}\n", measured.error().message);
  return 1;
}
