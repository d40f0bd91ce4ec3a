// What the chunk store costs its callers: put and get in memory, get from disk, and the search for
// the longest stored prefix of a long prompt.

#include "hearth/kv/store.h"

#include <benchmark/benchmark.h>

#include <cstring>
#include <numeric>

#include "hearth/base/check.h"

namespace hearth::kv {
namespace {

constexpr std::uint32_t chunk_tokens = 1'024;
constexpr std::size_t payload_bytes = 1 << 20;
constexpr std::uint64_t ample_bytes = 8ull << 30;

LayoutDigest layout() { return {blake2b(as_byte_span(std::string_view("bench layout")))}; }

std::vector<Token> tokens_of(std::uint32_t count) {
  std::vector<Token> tokens(count);
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

// A chain of `count` chunks over tokens 0, 1, 2, ...
std::vector<SharedChunk> chain_of(std::uint32_t count) {
  const std::vector<Token> tokens = tokens_of(count * chunk_tokens);
  std::vector<SharedChunk> chain;
  ChunkKey parent = model::root_key(layout());
  for (std::uint32_t begin = 0; begin < tokens.size(); begin += chunk_tokens) {
    auto payload = Buffer::create(payload_bytes);
    CHECK(payload.has_value());
    std::memset(payload->data(), static_cast<int>(begin / chunk_tokens), payload->size());
    ChunkOrigin origin{.layout = layout(), .parent = parent, .begin = begin, .tokens = {},
                       .provenance = {}};
    origin.tokens.assign(tokens.begin() + begin, tokens.begin() + begin + chunk_tokens);
    auto chunk = make_chunk(std::move(origin), std::move(*payload));
    CHECK(chunk.has_value());
    parent = chunk->header.key;
    chain.push_back(std::make_shared<const Chunk>(std::move(*chunk)));
  }
  return chain;
}

struct Place {
  TemporaryDirectory directory;
  std::unique_ptr<FileSystem> files = real_file_system();
  SteadyClock clock;
  std::unique_ptr<ChunkStore> store;

  explicit Place(TemporaryDirectory made) : directory(std::move(made)) {}

  void open(StoreOptions options) {
    store.reset();
    auto opened = ChunkStore::open(std::move(options), *files, clock);
    CHECK(opened.has_value());
    store = std::move(*opened);
  }
};

Place make_place() {
  auto directory = TemporaryDirectory::create("hearth-bench");
  CHECK(directory.has_value());
  return Place(std::move(*directory));
}

void put_all(ChunkStore& store, const std::vector<SharedChunk>& chain) {
  for (const SharedChunk& chunk : chain) CHECK(store.put(chunk).has_value());
}

void put_in_memory(benchmark::State& state) {
  const auto chain = chain_of(64);
  Place place = make_place();
  for (auto _ : state) {
    state.PauseTiming();
    place.open({.memory_bytes_max = ample_bytes});
    state.ResumeTiming();
    put_all(*place.store, chain);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(chain.size()));
}
BENCHMARK(put_in_memory)->Name("kv/store/put_in_memory");

void get_from_memory(benchmark::State& state) {
  const auto chain = chain_of(64);
  Place place = make_place();
  place.open({.memory_bytes_max = ample_bytes});
  put_all(*place.store, chain);
  std::size_t next = 0;
  for (auto _ : state) {
    const auto got = place.store->get(chain[next++ % chain.size()]->header.key);
    CHECK(got.has_value());
  }
}
BENCHMARK(get_from_memory)->Name("kv/store/get_from_memory");

// The files are in the page cache: this is the store's own cost, not the device's.
void get_from_disk(benchmark::State& state) {
  const auto chain = chain_of(16);
  Place place = make_place();
  place.open({.directory = place.directory.path(), .memory_bytes_max = ample_bytes,
              .disk_bytes_max = ample_bytes});
  put_all(*place.store, chain);
  CHECK(place.store->flush(Deadline::after(std::chrono::minutes(1))).has_value());
  // Room for one chunk: the next one is not in memory.
  place.open({.directory = place.directory.path(), .memory_bytes_max = payload_bytes + header_bytes_max,
              .disk_bytes_max = ample_bytes, .is_read_only = true});
  std::size_t next = 0;
  for (auto _ : state) {
    const auto got = place.store->get(chain[next++ % chain.size()]->header.key);
    CHECK(got.has_value());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(payload_bytes));
}
BENCHMARK(get_from_disk)->Name("kv/store/get_from_disk");

void longest_prefix(benchmark::State& state) {
  const auto chunks = static_cast<std::uint32_t>(state.range(0));
  Place place = make_place();
  place.open({.memory_bytes_max = ample_bytes});
  put_all(*place.store, chain_of(chunks));
  const std::vector<Token> prompt = tokens_of(chunks * chunk_tokens);
  for (auto _ : state) {
    const StoredPrefix found = place.store->longest_prefix(layout(), prompt);
    CHECK(found.token_count() == prompt.size());
  }
}
BENCHMARK(longest_prefix)->Name("kv/store/longest_prefix")->Arg(8)->Arg(128)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace hearth::kv
