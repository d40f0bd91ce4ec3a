#include "hearth/eval/kl/record.h"

#include <gtest/gtest.h>

#include <fstream>

#include "hearth/eval/kl/kl_test_support.h"

namespace hearth::eval {
namespace {

constexpr auto quiet = [](std::uint64_t, std::uint64_t) {};

Bytes bytes_of(const std::filesystem::path& path) { return read_file(path, 1u << 26).value(); }
void write_bytes(const std::filesystem::path& path, ByteSpan bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
}

class KlRecord : public ::testing::Test {
 protected:
  std::filesystem::path path(std::string_view name) const { return directory_.path() / name; }
  Result<> record(const std::filesystem::path& file, const StopToken& stop = {}) {
    RecordFile record = TRY(std::filesystem::exists(file) ? RecordFile::open(file)
                                                          : RecordFile::create(file, toy_header()));
    return record_reference(record, toy_model(0, &rows_made), quiet, stop);
  }

  TemporaryDirectory directory_ = TemporaryDirectory::create("hearth-kl-test").value();
  std::uint64_t rows_made = 0;
};

TEST(KlPlan, GivesEveryTokenHalfAWindowBeforeIt) {
  const std::vector<std::uint32_t> counts = {5'000, 1, 2, 700, 0};
  for (const std::uint32_t window : {2u, 3u, 64u, 700u, 4096u}) {
    const auto plan = plan_blocks(counts, {.window_tokens = window, .skip_tokens = 0});
    std::vector<std::uint32_t> next = {1, 1, 1, 1, 1};
    for (const ScoreBlock& block : plan) {
      EXPECT_EQ(block.from, next[block.text]);
      EXPECT_GT(block.end, block.from);
      EXPECT_LE(block.positions(), block_positions);
      EXPECT_LE(block.end - block.begin, window);
      EXPECT_TRUE(block.begin == 0 || block.from - block.begin >= window / 2);
      next[block.text] = block.end;
    }
    EXPECT_EQ(next, (std::vector<std::uint32_t>{5'000, 1, 2, 700, 1}));
  }
}

TEST(KlPlan, ReadsWhatIsSkipped) {
  const std::vector<std::uint32_t> counts = {512, 100};
  const auto plan = plan_blocks(counts, {.window_tokens = 512, .skip_tokens = 257});
  EXPECT_EQ(plan, (std::vector<ScoreBlock>{{0, 0, 257, 512}}));
}

TEST_F(KlRecord, HeaderComesBackAsItWas) {
  const RecordHeader header = toy_header();
  const Bytes bytes = encode_header(header);
  const ParsedHeader parsed = parse_header(bytes).value();
  EXPECT_EQ(parsed.bytes, bytes.size());
  EXPECT_EQ(encode_header(parsed.header), bytes);
  EXPECT_EQ(parsed.header.content[1].tokens, header.content[1].tokens);
}

TEST_F(KlRecord, RefusesAHeaderWithAnyByteChangedOrMissing) {
  RecordHeader header = toy_header();
  for (ScoredText& text : header.content) {
    text.tokens.resize(std::min<std::size_t>(text.tokens.size(), 20));
    text.kinds.resize(text.tokens.size());
  }
  const Bytes bytes = encode_header(header);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    Bytes damaged = bytes;
    damaged[i] ^= std::byte{0x10};
    EXPECT_FALSE(parse_header(damaged)) << i;
    EXPECT_FALSE(parse_header(ByteSpan(bytes).first(i))) << i;
  }
}

TEST_F(KlRecord, KilledAtAnyByteItGoesOnToTheSameFile) {
  ASSERT_TRUE(record(path("whole")));
  const Bytes whole = bytes_of(path("whole"));
  const std::size_t header_bytes = parse_header(whole)->bytes;
  Random random(11);
  for (int round = 0; round < 25; ++round) {
    const std::size_t kept = header_bytes + random.below(whole.size() - header_bytes + 1);
    write_bytes(path("torn"), ByteSpan(whole).first(kept));
    ASSERT_TRUE(record(path("torn"))) << kept;
    ASSERT_EQ(bytes_of(path("torn")), whole) << kept;
  }
}

TEST_F(KlRecord, ComputesNothingTwice) {
  ASSERT_TRUE(record(path("file")));
  EXPECT_EQ(rows_made, 1'499u + 599u);
  rows_made = 0;
  ASSERT_TRUE(record(path("file")));
  EXPECT_EQ(rows_made, 0u);
}

TEST_F(KlRecord, StopsBetweenBlocksAndGoesOn) {
  StopSource stop;
  RecordFile file = RecordFile::create(path("stopped"), toy_header()).value();
  const auto stopped = record_reference(
      file, toy_model(0),
      [&](std::uint64_t done, std::uint64_t) {
        if (done > 500) stop.request_stop();
      },
      stop.token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::cancelled);
  EXPECT_EQ(file.blocks(), 1u);
}

TEST_F(KlRecord, DamageBeforeTheLastBlockIsCorrupt) {
  ASSERT_TRUE(record(path("file")));
  Bytes bytes = bytes_of(path("file"));
  bytes[parse_header(bytes)->bytes + 100] ^= std::byte{1};
  write_bytes(path("file"), bytes);
  const auto refused = record(path("file"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::corrupt);
  EXPECT_NE(refused.error().message.find("block 0"), std::string::npos) << refused.error().message;
}

TEST_F(KlRecord, BytesAfterTheLastBlockAreCorrupt) {
  ASSERT_TRUE(record(path("file")));
  Bytes bytes = bytes_of(path("file"));
  bytes.push_back(std::byte{1});
  write_bytes(path("file"), bytes);
  EXPECT_EQ(record(path("file")).error().code, Code::corrupt);
}

TEST_F(KlRecord, IsWrittenByOneAtATime) {
  const auto first = RecordFile::create(path("file"), toy_header()).value();
  const auto second = RecordFile::open(path("file"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::unavailable);
}

TEST_F(KlRecord, RefusesRowsThatNobodyMade) {
  std::vector<TopDistribution> rows(1);
  for (std::uint32_t i = 0; i < 3; ++i) {
    rows[0].ids.push_back(i);
    rows[0].log_probabilities.push_back(-2);
  }
  const Bytes good = encode_rows(rows);
  EXPECT_TRUE(parse_reference_rows(good, 3, 3));
  EXPECT_FALSE(parse_reference_rows(good, 3, 2));
  EXPECT_FALSE(parse_reference_rows(ByteSpan(good).first(good.size() - 1), 3, 3));
  rows[0].tail = 1.5F;
  EXPECT_FALSE(parse_reference_rows(encode_rows(rows), 3, 3));
  rows[0].tail = 0;
  rows[0].log_probabilities[1] = NAN;
  EXPECT_FALSE(parse_reference_rows(encode_rows(rows), 3, 3));
  std::vector<PositionDivergence> compared(1);
  EXPECT_TRUE(parse_comparison_rows(encode_rows(compared)));
  compared[0].kl = -1;
  EXPECT_FALSE(parse_comparison_rows(encode_rows(compared)));
}

}  // namespace
}  // namespace hearth::eval
