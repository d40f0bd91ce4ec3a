// Meaning, not only equality: a model that finds facts planted far back in its context must find
// them just as well when another process prefilled it, and must miss those whose KV was exchanged.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>

#include "hearth/engine/synth/facts.h"
#include "hearth/kv/chunk_file.h"
#include "tests/support/local_models.h"

namespace hearth::node {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t fact_count = 48;
constexpr std::uint32_t chunk_tokens = 1024;

engine::PlantedText planted(std::size_t byte_count) {
  return engine::plant_facts(/*seed=*/21, fact_count, byte_count).value();
}

LocalRunOptions options_for(std::size_t byte_count, bool split, const std::string& kv_type = "f16") {
  LocalRunOptions options = testing::local_run_options("kimi", kv_type);
  options.worker.context_tokens = static_cast<std::uint32_t>(byte_count) + 512;
  options.worker.sequences = 2;
  options.worker.chunk_tokens = chunk_tokens;
  options.prefill_worker = split;
  return options;
}

// Which facts are answered rightly. The text is read once; each question continues it.
std::vector<bool> ask_all(LocalRun& run, const engine::PlantedText& text) {
  std::vector<bool> found;
  for (const engine::Fact& fact : text.facts) {
    const auto prompt = run.tokenize(text.text + " " + fact.question, /*special=*/false, {}).value();
    AnswerOptions options;
    options.tokens_max = static_cast<std::uint32_t>(fact.answer.size());
    const auto answer = run.answer(prompt, options, {});
    EXPECT_TRUE(answer) << answer.error().message;
    found.push_back(answer && answer->text == fact.answer);
  }
  return found;
}

struct Length {
  std::size_t tokens;
  const char* kv_type;
};
void PrintTo(const Length& l, std::ostream* out) { *out << l.tokens << " tokens, KV " << l.kv_type; }

class RetrievalAtLength : public ::testing::TestWithParam<Length> {};

TEST_P(RetrievalAtLength, FindsPlantedFactsAloneAndSplitAlike) {
  const auto [tokens, kv_type] = GetParam();
  const auto text = planted(tokens);
  const auto single = LocalRun::start(options_for(tokens, false, kv_type), {}, {}).value();
  const auto split = LocalRun::start(options_for(tokens, true, kv_type), {}, {}).value();
  const auto alone = ask_all(*single, text);
  const auto handed = ask_all(*split, text);
  EXPECT_EQ(alone, handed);
  const auto found = std::ranges::count(alone, true);
  std::printf("%zu tokens, KV %s: %td of %zu facts\n", tokens, kv_type, found, fact_count);
  EXPECT_GE(found, 46);  // 95 % of 48
}
INSTANTIATE_TEST_SUITE_P(Short, RetrievalAtLength, ::testing::Values(Length{8'000, "f16"}));
// Some minutes each: make soak.
INSTANTIATE_TEST_SUITE_P(Long, RetrievalAtLength,
                         ::testing::Values(Length{8'000, "q8_0"}, Length{32'000, "f16"},
                                           Length{32'000, "q8_0"}));

// The same bytes as an export of these positions would have, but of other text.
Buffer moved_to(const Buffer& payload, std::int32_t shift) {
  Buffer out = Buffer::create(payload.size()).value();
  std::memcpy(out.data(), payload.data(), payload.size());
  // Cells begin at byte 16: position, sequence count, sequence (docs/formats/state_blob.md).
  for (std::uint32_t cell = 0; cell < chunk_tokens; ++cell) {
    std::byte* at = out.data() + 16 + std::size_t{cell} * 12;
    std::int32_t position = 0;
    std::memcpy(&position, at, sizeof(position));
    position += shift;
    std::memcpy(at, &position, sizeof(position));
  }
  return out;
}

// A chunk that passes every check and yet holds another chunk's KV shows as wrong answers: so a
// right answer elsewhere in these tests means right KV.
TEST(Retrieval, MissesTheFactsOfAnExchangedChunk) {
  const auto text = planted(6'000);
  const auto directory = TemporaryDirectory::create("hearth-retrieval").value();
  LocalRunOptions options = options_for(6'000, false);
  options.store_directory = directory.path();
  std::vector<Token> tokens;
  {
    const auto run = LocalRun::start(options, {}, {}).value();
    tokens = run->tokenize(text.text, false, {}).value();
    ASSERT_TRUE(run->answer(tokens, {.tokens_max = 1}, {}));
    ASSERT_TRUE(run->flush(Deadline::after(std::chrono::seconds(60))));
  }
  std::map<std::uint32_t, fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory.path())) {
    if (entry.path().extension() == ".kv") {
      files[kv::read_chunk_header(entry.path()).value().range.begin] = entry.path();
    }
  }
  const kv::Chunk victim = kv::read_chunk_file(files.at(2 * chunk_tokens), {}).value();
  const kv::Chunk other = kv::read_chunk_file(files.at(3 * chunk_tokens), {}).value();
  const kv::ChunkHeader& header = victim.header;
  const kv::Chunk forged =
      kv::make_chunk({header.layout, header.parent, header.range.begin, header.tokens, header.provenance},
                     moved_to(other.payload, -static_cast<std::int32_t>(chunk_tokens)))
          .value();
  ASSERT_EQ(forged.header.key, header.key);
  const auto system = real_file_system();
  ASSERT_TRUE(kv::write_chunk_file(*system, files.at(2 * chunk_tokens), forged, Durability::survives_process));

  const auto run = LocalRun::start(options, {}, {}).value();
  const auto found = ask_all(*run, text);
  int lost_inside = 0;
  int lost_elsewhere = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto at = text.facts[i].position_bytes;  // one token is one byte
    const bool inside = at + 40 > 2 * chunk_tokens && at < 3 * chunk_tokens;
    if (!found[i]) ++(inside ? lost_inside : lost_elsewhere);
  }
  EXPECT_GE(lost_inside, 3);
  EXPECT_LE(lost_elsewhere, 2);
}

}  // namespace
}  // namespace hearth::node
