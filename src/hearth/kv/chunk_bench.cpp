// What naming, checking and reading a chunk costs. The largest payload is 1,024 tokens of
// Kimi K2.6 at f16.

#include "hearth/kv/chunk.h"

#include <benchmark/benchmark.h>

#include <cstring>
#include <numeric>

#include "hearth/base/check.h"

namespace hearth::kv {
namespace {

constexpr std::uint32_t chunk_tokens = 1'024;

LayoutDigest layout() { return {blake2b(as_byte_span(std::string_view("bench layout")))}; }

Buffer payload_of(std::size_t bytes) {
  auto payload = Buffer::create(bytes);
  CHECK(payload.has_value());
  std::memset(payload->data(), 0x5a, payload->size());
  return std::move(*payload);
}

ChunkOrigin origin() {
  ChunkOrigin out{.layout = layout(), .parent = model::root_key(layout()), .begin = 0,
                  .tokens = std::vector<Token>(chunk_tokens), .provenance = {}};
  std::iota(out.tokens.begin(), out.tokens.end(), 0);
  return out;
}

Chunk chunk_of(std::size_t bytes) {
  auto chunk = make_chunk(origin(), payload_of(bytes));
  CHECK(chunk.has_value());
  return std::move(*chunk);
}

void count_bytes(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void payload_sizes(benchmark::internal::Benchmark* bench) {
  bench->Arg(1 << 20)->Arg(16 << 20)->Arg(chunk_tokens * 70'272)->Unit(benchmark::kMicrosecond);
}

void make_chunk_bench(benchmark::State& state) {
  Buffer payload = payload_of(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    auto chunk = make_chunk(origin(), std::move(payload));
    CHECK(chunk.has_value());
    payload = std::move(chunk->payload);
  }
  count_bytes(state);
}
BENCHMARK(make_chunk_bench)->Name("kv/make_chunk")->Apply(payload_sizes);

void verify_chunk_bench(benchmark::State& state) {
  const Chunk chunk = chunk_of(static_cast<std::size_t>(state.range(0)));
  const ExpectedChunk expected{.layout = layout(), .key = chunk.header.key};
  for (auto _ : state) {
    const auto verified = verify_chunk(chunk.header, chunk.payload.span(), expected);
    CHECK(verified.has_value());
  }
  count_bytes(state);
}
BENCHMARK(verify_chunk_bench)->Name("kv/verify_chunk")->Apply(payload_sizes);

void encode_header_bench(benchmark::State& state) {
  const Chunk chunk = chunk_of(1 << 20);
  for (auto _ : state) benchmark::DoNotOptimize(encode_header(chunk.header));
}
BENCHMARK(encode_header_bench)->Name("kv/encode_header");

void parse_header_bench(benchmark::State& state) {
  const Chunk chunk = chunk_of(1 << 20);
  const Bytes encoded = encode_header(chunk.header);
  for (auto _ : state) {
    const auto header = parse_header(encoded);
    CHECK(header.has_value());
    benchmark::DoNotOptimize(header->tokens.data());
  }
}
BENCHMARK(parse_header_bench)->Name("kv/parse_header");

}  // namespace
}  // namespace hearth::kv
