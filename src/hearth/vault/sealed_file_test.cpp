#include "hearth/vault/sealed_file.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "hearth/vault/sealed_log.h"
#include "hearth/vault/test_vault.h"

namespace hearth::vault {
namespace {

namespace fs = std::filesystem;

class SealedFileTest : public testing::Test {
 protected:
  void write(int count) {
    auto log = SealedLog::open(path(), key_).value();
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(log.append(7, as_byte_span("CANARY record " + std::to_string(i) + std::string(static_cast<std::size_t>(i) * 10, '.'))));
    }
  }
  fs::path path() const { return directory_.path() / "log"; }
  Bytes bytes() const { return read_file(path(), 4 << 20).value(); }
  SealedContents read(const Bytes& file) const { return read_sealed_bytes(file, key_).value(); }
  // Where each record of `file` begins, and the end.
  static std::vector<std::size_t> starts(const Bytes& file) {
    std::vector<std::size_t> out;
    for (std::size_t at = sealed_records_offset; at < file.size();) {
      out.push_back(at);
      std::uint32_t text_bytes = 0;
      std::memcpy(&text_bytes, file.data() + at + 16, sizeof(text_bytes));
      at += sealed_record_overhead_bytes + text_bytes;
    }
    out.push_back(file.size());
    return out;
  }
  static std::vector<std::uint64_t> indices(const SealedContents& contents) {
    std::vector<std::uint64_t> out;
    for (const SealedRecord& record : contents.records) out.push_back(record.index);
    return out;
  }
  using Indices = std::vector<std::uint64_t>;
  TemporaryDirectory directory_ = TemporaryDirectory::create("sealed").value();
  Secret key_ = Secret::random(key_bytes).value();
};

TEST_F(SealedFileTest, ReadsBackAndGoesOn) {
  write(3);
  write(2);
  const SealedContents contents = read(bytes());
  EXPECT_TRUE(contents.damage.empty());
  ASSERT_EQ(indices(contents), (Indices{0, 1, 2, 3, 4}));
  EXPECT_EQ(as_text(contents.records[3].text), "CANARY record 0");
  EXPECT_EQ(contents.records[3].type, 7);
}

TEST_F(SealedFileTest, NoTextIsInTheFile) {
  write(5);
  const Bytes file = bytes();
  EXPECT_EQ(as_text(file).find("CANARY"), std::string_view::npos);
  EXPECT_EQ(fs::status(path()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

// Whatever byte is spoilt: it is told, and every other record is still read.
TEST_F(SealedFileTest, OneSpoiltByteCostsOneRecord) {
  write(4);
  const Bytes sound = bytes();
  const auto begins = starts(sound);
  for (std::size_t at = sealed_records_offset; at < sound.size(); ++at) {
    Bytes bad = sound;
    bad[at] ^= std::byte{0x40};
    const SealedContents contents = read(bad);
    const auto hit = static_cast<std::uint64_t>(std::ranges::upper_bound(begins, at) - begins.begin()) - 1;
    Indices rest;
    for (std::uint64_t i = 0; i < 4; ++i) if (i != hit) rest.push_back(i);
    EXPECT_EQ(indices(contents), rest) << at;
    ASSERT_FALSE(contents.damage.empty()) << at;
    EXPECT_TRUE(contents.damage[0].starts_with("record " + std::to_string(hit))) << contents.damage[0];
  }
}

TEST_F(SealedFileTest, ASpoiltHeadIsRefusedASpoiltSlotIsNot) {
  write(3);
  const Bytes sound = bytes();
  for (std::size_t at = 0; at < sealed_records_offset; ++at) {
    Bytes bad = sound;
    bad[at] ^= std::byte{1};
    const auto read = read_sealed_bytes(bad, key_);
    const bool is_whole = read && read->damage.empty() && read->records.size() == 3;
    EXPECT_EQ(is_whole, at >= sealed_head_bytes) << at;
  }
}

TEST_F(SealedFileTest, AMissingEndIsFound) {
  write(4);
  const Bytes sound = bytes();
  const auto begins = starts(sound);
  for (std::size_t size = sealed_records_offset; size < sound.size(); ++size) {
    const Bytes cut(sound.begin(), sound.begin() + static_cast<long>(size));
    const SealedContents contents = read(cut);
    EXPECT_FALSE(contents.damage.empty()) << size;
    const auto whole = static_cast<std::size_t>(std::ranges::upper_bound(begins, size) - begins.begin()) - 1;
    EXPECT_EQ(contents.records.size(), whole) << size;
  }
}

TEST_F(SealedFileTest, MovedRepeatedAndForeignRecordsAreFound) {
  write(4);
  const Bytes sound = bytes();
  const auto begins = starts(sound);
  const auto piece = [&](const Bytes& from, const std::vector<std::size_t>& b, std::size_t i) {
    return Bytes(from.begin() + static_cast<long>(b[i]), from.begin() + static_cast<long>(b[i + 1]));
  };
  const auto with = [&](const std::vector<Bytes>& pieces) {
    Bytes out(sound.begin(), sound.begin() + static_cast<long>(sealed_records_offset));
    for (const Bytes& p : pieces) out.insert(out.end(), p.begin(), p.end());
    return out;
  };
  std::vector<Bytes> r;
  for (std::size_t i = 0; i < 4; ++i) r.push_back(piece(sound, begins, i));
  EXPECT_FALSE(read(with({r[0], r[2], r[1], r[3]})).damage.empty());
  EXPECT_FALSE(read(with({r[0], r[1], r[1], r[2], r[3]})).damage.empty());
  EXPECT_FALSE(read(with({r[0], r[1], r[3]})).damage.empty());
  EXPECT_FALSE(read(with({r[1], r[2], r[3]})).damage.empty());
  // The same place in another file of the same collection.
  fs::remove(path());
  write(4);
  const Bytes other = bytes();
  EXPECT_FALSE(read(with({r[0], piece(other, starts(other), 1), r[2], r[3]})).damage.empty());
}

TEST_F(SealedFileTest, WhatWasBeingWrittenWhenThePowerFailedIsNoDamage) {
  write(2);
  const Bytes two = bytes();
  write(1);
  const Bytes three = bytes();
  // The record arrived in part or whole, the slots did not.
  for (std::size_t size = two.size(); size <= three.size(); ++size) {
    Bytes torn = two;
    torn.insert(torn.end(), three.begin() + static_cast<long>(two.size()), three.begin() + static_cast<long>(size));
    EXPECT_TRUE(read(torn).damage.empty()) << size;
    const ByteSpan part(torn);
    ASSERT_TRUE(real_file_system()->write_atomically(path(), {&part, 1}, Durability::survives_process));
    auto log = SealedLog::open(path(), key_).value();
    ASSERT_TRUE(log.append(7, as_byte_span("next")));
    EXPECT_TRUE(read(bytes()).damage.empty());
  }
}

TEST_F(SealedFileTest, ADamagedFileIsNotWrittenOn) {
  write(3);
  Bytes bad = bytes();
  bad[bad.size() - 1] ^= std::byte{1};
  const ByteSpan part(bad);
  ASSERT_TRUE(real_file_system()->write_atomically(path(), {&part, 1}, Durability::survives_process));
  EXPECT_EQ(SealedLog::open(path(), key_).error().code, Code::corrupt);
}

TEST_F(SealedFileTest, AnotherKeyOpensNothing) {
  write(2);
  const auto read = read_sealed_log(path(), Secret::random(key_bytes).value());
  EXPECT_EQ(read.error().code, Code::corrupt);
}

TEST_F(SealedFileTest, WholeFilesOfAnySize) {
  const auto files = real_file_system();
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1} << 20, (std::size_t{2} << 20) + 5}) {
    const std::string text(size, 'm');
    ASSERT_TRUE(write_sealed_file(*files, path(), key_, as_byte_span(text)));
    EXPECT_EQ(as_text(read_sealed_file(path(), key_).value()), text);
  }
  Bytes cut = bytes();
  cut.resize(cut.size() - 10);
  const ByteSpan part(cut);
  ASSERT_TRUE(files->write_atomically(path(), {&part, 1}, Durability::survives_process));
  EXPECT_EQ(read_sealed_file(path(), key_).error().code, Code::corrupt);
}

}  // namespace
}  // namespace hearth::vault
