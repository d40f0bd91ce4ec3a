// A store whose files are sealed. The cipher of the tests is no cipher, but it is one for the store: it
// hides, and it refuses what was changed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "hearth/kv/sealed_chunk_file.h"
#include "hearth/kv/store_test_support.h"

namespace hearth::kv {
namespace {

namespace fs = std::filesystem;

class TestCipher final : public ChunkCipher {
 public:
  explicit TestCipher(std::string key) : key_(std::move(key)) {}
  std::string file_name(const ChunkKey& key) const override { return Blake2b().update(key_).update(key.digest.bytes).finish().hex(); }
  void seal(ByteSpan plain, ByteSpan associated, std::span<std::byte> out) const override {
    const auto body = out.subspan(24, plain.size());
    std::ranges::transform(plain, body.begin(), [](std::byte b) { return b ^ std::byte{0x5A}; });
    const Digest256 tag = tag_of(body, associated);
    std::memcpy(out.data() + 24 + plain.size(), tag.bytes.data(), 16);
  }
  Result<> open(ByteSpan sealed, ByteSpan associated, std::span<std::byte> out) const override {
    const auto body = sealed.subspan(24, out.size());
    const Digest256 tag = tag_of(body, associated);
    if (std::memcmp(tag.bytes.data(), sealed.data() + 24 + out.size(), 16) != 0) return fail(Code::corrupt, "tag");
    std::ranges::transform(body, out.begin(), [](std::byte b) { return b ^ std::byte{0x5A}; });
    return {};
  }

 private:
  Digest256 tag_of(ByteSpan body, ByteSpan associated) const {
    return Blake2b().update_sized(key_).update_sized(as_text(associated)).update(body).finish();
  }
  std::string key_;
};

class SealedStoreTest : public StoreTest {
 protected:
  StoreOptions sealed(std::string key = "key") const {
    StoreOptions out = with_disk(20, 100);
    out.cipher = std::make_shared<TestCipher>(std::move(key));
    return out;
  }
  std::vector<fs::path> files() const {
    std::vector<fs::path> out;
    for (const auto& entry : fs::recursive_directory_iterator(directory_.path() / "store")) {
      if (entry.path().extension() == ".skv") out.push_back(entry.path());
    }
    std::ranges::sort(out);
    return out;
  }
  TestChain chain_ = test_chain(1, 12, 4);
};

TEST_F(SealedStoreTest, FindsAgainWhatItSealed) {
  put_all(*open(sealed()), chain_);
  const auto store = open(sealed());
  for (const SharedChunk& chunk : chain_.chunks) {
    const auto read = store->get(chunk->header.key);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ((*read)->header, chunk->header);
    EXPECT_TRUE(std::ranges::equal((*read)->payload.span(), chunk->payload.span()));
  }
  EXPECT_EQ(store->statistics().disk_hits, 3);
}

TEST_F(SealedStoreTest, NeitherNamesNorBytesTellWhatIsInIt) {
  const auto store = open(sealed());
  put_all(*store, chain_);
  const ChunkKey key = chain_.chunks[0]->header.key;
  ASSERT_TRUE(store->pin(std::span(&key, 1), "diary"));
  int seen = 0;
  for (const auto& entry : fs::recursive_directory_iterator(directory_.path())) {
    for (const SharedChunk& chunk : chain_.chunks) {
      EXPECT_EQ(entry.path().string().find(chunk->header.key.hex()), std::string::npos);
    }
    if (!entry.is_regular_file()) continue;
    ++seen;
    const Bytes bytes = read_file(entry.path(), 1 << 20).value();
    for (const SharedChunk& chunk : chain_.chunks) {
      const ByteSpan payload = chunk->payload.span();
      const Bytes header = encode_header(chunk->header);
      for (const ByteSpan plain : {payload.first(16), payload.last(16), ByteSpan(chunk->header.key.digest.bytes).first(16), ByteSpan(header).first(8)}) {
        EXPECT_TRUE(std::ranges::search(bytes, plain).empty()) << entry.path();
      }
      EXPECT_EQ(as_text(bytes).find(chunk->header.key.hex()), std::string_view::npos) << entry.path();
    }
    EXPECT_EQ(as_text(bytes).find("diary"), std::string_view::npos);
  }
  EXPECT_EQ(seen, 3 + 2);  // and the pins, and the lock
}

TEST_F(SealedStoreTest, PinsComeBack) {
  const ChunkKey key = chain_.chunks[0]->header.key;
  ASSERT_TRUE(open(sealed())->pin(std::span(&key, 1), "diary"));
  EXPECT_EQ(open(sealed())->pinned("diary"), std::vector<ChunkKey>{key});
}

TEST_F(SealedStoreTest, ImportsGetTheChunkNotAFile) {
  put_all(*open(sealed()), chain_);
  const auto source = open(sealed())->open_for_import(chain_.chunks[1]->header.key);
  ASSERT_TRUE(source);
  EXPECT_TRUE(std::holds_alternative<SharedChunk>(*source));
}

TEST_F(SealedStoreTest, AChangedByteAnywhereIsDamage) {
  put_all(*open(sealed()), chain_);
  const fs::path path = files()[0];
  const Bytes sound = read_file(path, 1 << 20).value();
  const TestCipher cipher("key");
  ASSERT_TRUE(read_sealed_chunk(path, cipher, {}));
  for (std::size_t at = 0; at < sound.size(); ++at) {
    // Nonces are not the test cipher's.
    Bytes bad = sound;
    bad[at] ^= std::byte{4};
    const ByteSpan part(bad);
    ASSERT_TRUE(real_file_system()->write_atomically(path, {&part, 1}, Durability::survives_process));
    const auto read = read_sealed_chunk(path, cipher, {});
    const std::size_t header_at = 24, payload_at = sound.size() - 40 - 100;
    const bool is_nonce = (at >= header_at && at < header_at + 24) || (at >= payload_at && at < payload_at + 24);
    EXPECT_EQ(read.has_value(), is_nonce) << at;
  }
  for (std::size_t size = 0; size < sound.size(); ++size) {
    const ByteSpan part = ByteSpan(sound).first(size);
    ASSERT_TRUE(real_file_system()->write_atomically(path, {&part, 1}, Durability::survives_process));
    EXPECT_FALSE(read_sealed_chunk(path, cipher, {})) << size;
  }
  const auto store = open(sealed());
  EXPECT_EQ(store->statistics().damaged_count, 1);
  EXPECT_EQ(files().size(), 2);  // removed: it can be computed again
}

TEST_F(SealedStoreTest, AnotherKeyReadsNothing) {
  put_all(*open(sealed()), chain_);
  const auto store = open(sealed("other"));
  EXPECT_EQ(store->statistics().disk_chunks, 0);
}

TEST_F(SealedStoreTest, PlainAndSealedFilesAreForeignToEachOther) {
  put_all(*open(sealed()), chain_);
  const auto store = open(with_disk(20, 100));
  EXPECT_EQ(store->statistics().disk_chunks, 0);
  EXPECT_EQ(store->statistics().foreign_files, 3);
}

}  // namespace
}  // namespace hearth::kv
