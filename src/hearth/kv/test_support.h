#pragma once
// For the tests of kv: chunks with contents that follow from a seed, and a file system that fails
// on request.

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/base/file.h"
#include "hearth/base/random.h"
#include "hearth/kv/chunk.h"
#include "hearth/kv/chunk_file.h"

namespace hearth::kv {

inline LayoutDigest test_layout(std::string_view name = "layout") {
  return {blake2b(as_byte_span(name))};
}

inline std::vector<Token> test_tokens(std::uint64_t seed, std::size_t count) {
  Random random(seed);
  std::vector<Token> out(count);
  for (Token& token : out) token = static_cast<Token>(random.below(160'000));
  return out;
}

inline Buffer test_payload(std::uint64_t seed, std::size_t bytes) {
  Buffer out = Buffer::create(bytes).value();
  Random random(seed);
  for (std::byte& b : out.span()) b = static_cast<std::byte>(random.next());
  return out;
}

struct TestChunkOptions {
  LayoutDigest layout = test_layout();
  std::optional<ChunkKey> parent = {};  // the root
  std::uint32_t begin = 0;
  std::vector<Token> tokens = {1, 2, 3};
  std::size_t payload_bytes = 100;
  std::uint64_t seed = 1;
};

inline Chunk test_chunk(TestChunkOptions o = {}) {
  ChunkOrigin origin;
  origin.layout = o.layout;
  origin.parent = o.parent.value_or(model::root_key(o.layout));
  origin.begin = o.begin;
  origin.tokens = std::move(o.tokens);
  origin.provenance = {"b11669", "CPU", "studio", 512};
  return make_chunk(std::move(origin), test_payload(o.seed, o.payload_bytes)).value();
}

inline SharedChunk test_shared(TestChunkOptions o = {}) {
  return std::make_shared<const Chunk>(test_chunk(std::move(o)));
}

// One prompt in chunks of `chunk_tokens`, the last one shorter when it does not divide.
struct TestChain {
  LayoutDigest layout;
  std::vector<Token> tokens;
  std::vector<SharedChunk> chunks;

  std::vector<ChunkKey> keys() const {
    std::vector<ChunkKey> out;
    for (const SharedChunk& chunk : chunks) out.push_back(chunk->header.key);
    return out;
  }
  std::vector<TokenRange> ranges() const {
    std::vector<TokenRange> out;
    for (const SharedChunk& chunk : chunks) out.push_back(chunk->header.range);
    return out;
  }
};

inline TestChain test_chain(std::uint64_t seed, std::size_t token_count, std::size_t chunk_tokens,
                            std::size_t payload_bytes = 100,
                            const LayoutDigest& layout = test_layout()) {
  TestChain out{layout, test_tokens(seed, token_count), {}};
  ChunkKey parent = model::root_key(layout);
  for (std::size_t begin = 0; begin < token_count; begin += chunk_tokens) {
    const std::size_t count = std::min(chunk_tokens, token_count - begin);
    const auto* first = out.tokens.data() + begin;
    out.chunks.push_back(test_shared({.layout = layout,
                                      .parent = parent,
                                      .begin = static_cast<std::uint32_t>(begin),
                                      .tokens = {first, first + count},
                                      .payload_bytes = payload_bytes,
                                      .seed = seed * 1'000 + begin}));
    parent = out.chunks.back()->header.key;
  }
  return out;
}

inline Bytes encode_chunk(const Chunk& chunk) {
  Bytes out = encode_header(chunk.header);
  out.insert(out.end(), chunk.payload.data(), chunk.payload.data() + chunk.payload.size());
  return out;
}

inline bool same_bytes(const Buffer& a, const Buffer& b) {
  return a.size() == b.size() &&
         (a.size() == 0 || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

// After a field was changed on purpose: makes the header checksum right again.
inline void fix_checksum(Bytes& header) {
  const std::size_t body = header.size() - sizeof(Checksum128);
  const Checksum128 checksum = xxh3_128(ByteSpan(header).first(body));
  std::memcpy(header.data() + body, &checksum.low, 8);
  std::memcpy(header.data() + body + 8, &checksum.high, 8);
}

inline void write_raw(const std::filesystem::path& path, ByteSpan bytes) {
  std::filesystem::create_directories(path.parent_path());
  ASSERT_TRUE(real_file_system()->write_atomically(path, std::span(&bytes, 1),
                                                   Durability::survives_process));
}

// Every file below is a whole chunk, the pins or the lock; nothing is left over.
inline std::uint64_t expect_clean_directory(const std::filesystem::path& directory) {
  std::uint64_t chunk_file_bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    const std::string name = entry.path().filename().string();
    EXPECT_FALSE(name.ends_with(".tmp")) << entry.path();
    if (!name.ends_with(".kv")) continue;
    const auto chunk = read_chunk_file(entry.path(), {});
    EXPECT_TRUE(chunk) << (chunk ? "" : chunk.error().message);
    chunk_file_bytes += entry.file_size();
  }
  return chunk_file_bytes;
}

// The real file system, with calls that fail. Thread-safe.
class FaultyFileSystem final : public FileSystem {
 public:
  enum class When { before, after };  // after: done, but reported as failed

  std::uint64_t calls() const { return calls_; }
  void fail_call(std::uint64_t nth, When when = When::before) {
    calls_ = 0;
    fail_call_ = nth;
    when_ = when;
  }
  void set_disk_full(bool is_full) { is_full_ = is_full; }
  void set_remove_fails(bool fails) { remove_fails_ = fails; }
  void hold_writes() {
    const std::lock_guard hold(mutex_);
    is_held_ = true;
  }
  bool is_writing() {  // one that is held
    const std::lock_guard hold(mutex_);
    return is_waiting_;
  }
  void release_writes() {
    {
      const std::lock_guard hold(mutex_);
      is_held_ = false;
    }
    released_.notify_all();
  }

  Result<> write_atomically(const std::filesystem::path& path, std::span<const ByteSpan> parts,
                            Durability durability) override {
    {
      std::unique_lock hold(mutex_);
      is_waiting_ = is_held_;
      released_.wait(hold, [&] { return !is_held_; });
      is_waiting_ = false;
    }
    if (is_full_) return fail(Code::resource_exhausted, "write: No space left on device");
    return call([&] { return real_->write_atomically(path, parts, durability); });
  }
  Result<> remove(const std::filesystem::path& path) override {
    if (remove_fails_) return fail(Code::permission, "remove: not permitted");
    return call([&] { return real_->remove(path); });
  }
  Result<> create_directories(const std::filesystem::path& path) override {
    return call([&] { return real_->create_directories(path); });
  }

 private:
  template <class Operation>
  Result<> call(Operation operation) {
    const bool fails = ++calls_ == fail_call_;
    if (fails && when_ == When::before) return fail(Code::unavailable, "made to fail");
    Result<> done = operation();
    if (fails) return fail(Code::unavailable, "made to fail afterwards");
    return done;
  }

  std::unique_ptr<FileSystem> real_ = real_file_system();
  std::atomic<std::uint64_t> calls_ = 0;
  std::atomic<std::uint64_t> fail_call_ = 0;
  std::atomic<When> when_ = When::before;
  std::atomic<bool> is_full_ = false;
  std::atomic<bool> remove_fails_ = false;
  std::mutex mutex_;
  std::condition_variable released_;
  bool is_held_ = false, is_waiting_ = false;
};

}  // namespace hearth::kv
