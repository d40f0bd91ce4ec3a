#pragma once
// A chunk store in a directory of its own.

#include "hearth/base/log.h"
#include "hearth/kv/store.h"
#include "hearth/kv/test_support.h"

namespace hearth::kv {

// What a chunk of the tests costs: a header of 256 bytes (up to 10 tokens) and its payload.
inline constexpr std::uint64_t test_chunk_bytes = 256 + 100;

class StoreTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { start_log("kv_test", LogLevel::off); }
  StoreOptions memory_only(std::uint64_t chunks) const {
    return {.directory = {}, .memory_bytes_max = chunks * test_chunk_bytes};
  }
  StoreOptions with_disk(std::uint64_t memory_chunks, std::uint64_t disk_chunks) const {
    return {.directory = directory_.path() / "store",
            .memory_bytes_max = memory_chunks * test_chunk_bytes,
            .disk_bytes_max = disk_chunks * test_chunk_bytes};
  }
  std::unique_ptr<ChunkStore> open(const StoreOptions& options) {
    auto store = ChunkStore::open(options, files_, clock_);
    EXPECT_TRUE(store) << (store ? "" : store.error().message);
    return store ? std::move(*store) : nullptr;
  }
  std::filesystem::path path_of(const ChunkKey& key) const {
    return directory_.path() / "store" / key.hex().substr(0, 2) / (key.hex() + ".kv");
  }
  // Puts and waits for the disk, one by one, so that a small memory budget is enough.
  static void put_all(ChunkStore& store, const TestChain& chain) {
    for (const SharedChunk& chunk : chain.chunks) {
      const auto put = store.put(chunk);
      ASSERT_TRUE(put) << put.error().message;
      ASSERT_TRUE(store.flush(Deadline::never()));
    }
  }

  TemporaryDirectory directory_ = TemporaryDirectory::create("hearth-kv-test").value();
  FaultyFileSystem files_;
  SteadyClock clock_;
};

}  // namespace hearth::kv
