// Our export and import of a chunk of KV against the inference library's own calls on the same
// cells: what validation, canonical form, key and digest add. Prints one JSON document:
//
//   {"chunk_bytes", "chunk_tokens", "export": {"ours_us": [...], "ours_engine_us": [...],
//    "peer_us": [...]}, "import": {...}}
//
// Ours: Engine::export_state, chunk key and digest; digest, then Engine::import_state. Of these only
// the Engine calls (ours_engine_us) keep the engine's thread busy in a worker. The peer:
// llama_state_seq_get_data and llama_state_seq_set_data on a sequence that holds just those cells,
// in a second context of the same model with the same settings and the same KV. The two are
// measured in turn, the order changing from sample to sample.
//
// The processor's caches are emptied before each sample, because in a worker the weights have just
// been streamed through them; then a blob to import is written once, as if it had been received.

#include <fmt/format.h>
#include <llama.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "hearth/base/check.h"
#include "hearth/base/clock.h"
#include "hearth/base/digest.h"
#include "hearth/base/json.h"
#include "hearth/base/log.h"
#include "hearth/engine/llama_engine.h"
#include "hearth/model/chain.h"

namespace hearth::engine {
namespace {

constexpr std::uint32_t context_tokens = 8'192;
constexpr std::uint32_t chunk_tokens = 1'024;
constexpr std::uint32_t chunks_before = 3;  // the chunk measured is the fourth of a prompt
constexpr std::uint32_t sequences = 4;
constexpr TokenRange chunk{chunks_before * chunk_tokens, (chunks_before + 1) * chunk_tokens};
constexpr SequenceId prompt_sequence{0};
constexpr llama_seq_id bare_prompt = 0, bare_chunk = 1;
constexpr std::size_t eviction_bytes = 128u << 20;  // more than any cache
constexpr std::size_t cache_line_bytes = 64;

struct ModelDeleter {
  void operator()(llama_model* model) const { llama_model_free(model); }
};
struct ContextDeleter {
  void operator()(llama_context* context) const { llama_free(context); }
};

struct Options {
  std::string model_path;
  int samples = 20;
  std::uint32_t threads = 0;
};

// The library as a program without Hearth would use it.
struct Bare {
  std::unique_ptr<llama_model, ModelDeleter> model;
  std::unique_ptr<llama_context, ContextDeleter> context;

  llama_memory_t memory() const { return llama_get_memory(context.get()); }
};

Result<Bare> make_bare(const Options& options) {
  Bare bare;
  llama_model_params weights = llama_model_default_params();
  weights.use_extra_bufts = false;  // with AMX, libllama 0.7 ends the process on models with MLA
  bare.model.reset(llama_model_load_from_file(options.model_path.c_str(), weights));
  if (!bare.model) return fail(Code::unsupported, "the engine cannot load " + options.model_path);
  llama_context_params params = llama_context_default_params();
  params.n_ctx = context_tokens;
  params.n_batch = chunk_tokens;
  params.n_seq_max = sequences + 1;
  params.n_outputs_max = sequences + 1;
  params.kv_unified = true;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  bare.context.reset(llama_init_from_model(bare.model.get(), params));
  if (!bare.context) return fail(Code::resource_exhausted, "the engine cannot make a context");
  return bare;
}

std::vector<Token> prompt_of(std::uint32_t vocabulary) {
  std::vector<Token> tokens(chunk.end);
  for (std::uint32_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<Token>(i * 7'919ull % vocabulary);
  }
  return tokens;
}

Result<> prefill(Engine& engine, std::span<const Token> tokens) {
  std::vector<BatchItem> batch;
  for (std::uint32_t begin = 0; begin < tokens.size(); begin += chunk_tokens) {
    batch.clear();
    for (std::uint32_t i = begin; i < begin + chunk_tokens; ++i) {
      batch.push_back({tokens[i], i, prompt_sequence, /*wants_logits=*/false});
    }
    TRY(engine.decode(batch, {}));
  }
  return {};
}

const std::uint8_t* library_bytes(const Buffer& buffer) {
  return reinterpret_cast<const std::uint8_t*>(buffer.data());
}

Result<> bare_import(const Bare& bare, const Buffer& blob, llama_seq_id sequence) {
  if (llama_state_seq_set_data(bare.context.get(), library_bytes(blob), blob.size(), sequence) !=
      blob.size()) {
    return fail(Code::internal, "the engine did not take its own state back");
  }
  return {};
}

// The same KV in the same cells, without computing it again.
Result<> copy_prompt(Engine& engine, const Bare& bare) {
  for (std::uint32_t begin = 0; begin < chunk.end; begin += chunk_tokens) {
    const TokenRange range{begin, begin + chunk_tokens};
    const Buffer blob = TRY(engine.export_state(prompt_sequence, range, model::Completeness::whole));
    TRY(bare_import(bare, blob, bare_chunk));
    llama_memory_seq_cp(bare.memory(), bare_chunk, bare_prompt, static_cast<llama_pos>(range.begin),
                        static_cast<llama_pos>(range.end));
    llama_memory_seq_rm(bare.memory(), bare_chunk, -1, -1);
  }
  return {};
}

struct Samples {
  Json ours = Json::array(), ours_engine = Json::array(), peer = Json::array();
  Json json() const {
    return Json::object({{"ours_us", ours}, {"ours_engine_us", ours_engine}, {"peer_us", peer}});
  }
};

class Stopwatch {
 public:
  double us() const { return milliseconds(std::chrono::steady_clock::now() - began_) * 1e3; }

 private:
  Instant began_ = std::chrono::steady_clock::now();
};

class Comparison {
 public:
  Comparison(LlamaEngine& engine, Bare bare) : engine_(engine), bare_(std::move(bare)) {}

  Result<> prepare() {
    tokens_ = prompt_of(engine_.limits().vocabulary);
    parent_ = model::root_key(model::layout_digest(*engine_.info().identity));
    TRY(prefill(engine_, tokens_));
    TRY(copy_prompt(engine_, bare_));
    llama_memory_seq_cp(bare_.memory(), bare_prompt, bare_chunk, static_cast<llama_pos>(chunk.begin),
                        static_cast<llama_pos>(chunk.end));
    blob_ = TRY(engine_.export_state(prompt_sequence, chunk, model::Completeness::whole));
    digest_ = xxh3_128(blob_.span());
    bare_blob_ = TRY(Buffer::create(blob_.size()));
    received_ = TRY(Buffer::create(blob_.size()));
    eviction_.resize(eviction_bytes);
    return {};
  }

  Result<> our_export(Samples& samples) {
    evict_caches();
    const Stopwatch watch;
    const Buffer blob = TRY(engine_.export_state(prompt_sequence, chunk, model::Completeness::whole));
    samples.ours_engine.push(watch.us());
    key_ = model::next_key(parent_, std::span(tokens_).subspan(chunk.begin));
    const Checksum128 digest = xxh3_128(blob.span());
    samples.ours.push(watch.us());
    return digest == digest_ ? Result<>() : fail(Code::internal, "two exports differ");
  }
  Result<> peer_export(Samples& samples) {
    evict_caches();
    const Stopwatch watch;
    const std::size_t written = llama_state_seq_get_data(
        bare_.context.get(), reinterpret_cast<std::uint8_t*>(bare_blob_.data()), bare_blob_.size(),
        bare_chunk);
    samples.peer.push(watch.us());
    if (written != bare_blob_.size()) return fail(Code::internal, "the engine's state has another size");
    return {};
  }
  Result<> our_import(Samples& samples) {
    TRY(engine_.truncate(prompt_sequence, chunk.begin));
    receive_blob();
    const Stopwatch watch;
    if (xxh3_128(received_.span()) != digest_) return fail(Code::corrupt, "the blob changed");
    const Stopwatch engine_watch;
    TRY(engine_.import_state(prompt_sequence, chunk, received_.span()));
    samples.ours_engine.push(engine_watch.us());
    samples.ours.push(watch.us());
    return {};
  }
  Result<> peer_import(Samples& samples) {
    llama_memory_seq_rm(bare_.memory(), bare_prompt, static_cast<llama_pos>(chunk.begin), -1);
    llama_memory_seq_rm(bare_.memory(), bare_chunk, -1, -1);
    receive_blob();
    const Stopwatch watch;
    TRY(bare_import(bare_, received_, bare_chunk));
    samples.peer.push(watch.us());
    return {};
  }
  std::size_t chunk_bytes() const { return blob_.size(); }

 private:
  void evict_caches() {
    for (std::size_t i = 0; i < eviction_.size(); i += cache_line_bytes) ++eviction_[i];
  }
  void receive_blob() {
    evict_caches();
    std::memcpy(received_.data(), blob_.data(), blob_.size());
  }

  LlamaEngine& engine_;
  Bare bare_;
  std::vector<unsigned char> eviction_;
  std::vector<Token> tokens_;
  model::ChunkKey parent_, key_;
  Buffer blob_, bare_blob_, received_;
  Checksum128 digest_;
};

template <class Ours, class Peer>
Result<Samples> in_turn(int count, Ours&& ours, Peer&& peer) {
  Samples warm_up, samples;
  TRY(ours(warm_up));
  TRY(peer(warm_up));
  for (int i = 0; i < count; ++i) {
    if (i % 2 == 0) TRY(ours(samples));
    TRY(peer(samples));
    if (i % 2 == 1) TRY(ours(samples));
  }
  return samples;
}

Result<Json> compare(const Options& options) {
  const auto engine = TRY(load_llama_engine({.model_path = options.model_path,
                                             .context_tokens = context_tokens,
                                             .sequences = sequences,
                                             .batch_tokens = chunk_tokens,
                                             .threads = options.threads},
                                            {}, {}));
  if (!engine->info().identity) return fail(Code::unsupported, engine->info().kv_refusal);
  Bare bare = TRY(make_bare(options));
  Comparison comparison(*engine, std::move(bare));
  TRY(comparison.prepare());
  const Samples exported =
      TRY(in_turn(options.samples, [&](Samples& to) { return comparison.our_export(to); },
                  [&](Samples& to) { return comparison.peer_export(to); }));
  const Samples imported =
      TRY(in_turn(options.samples, [&](Samples& to) { return comparison.our_import(to); },
                  [&](Samples& to) { return comparison.peer_import(to); }));
  return Json::object({{"chunk_tokens", chunk_tokens}, {"chunk_bytes", comparison.chunk_bytes()},
                       {"export", exported.json()}, {"import", imported.json()}});
}

}  // namespace
}  // namespace hearth::engine

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: hearth-state-bench MODEL [SAMPLES] [THREADS]\n", stderr);
    return 2;
  }
  hearth::start_log("state-bench", hearth::LogLevel::warning);
  hearth::engine::Options options{.model_path = argv[1]};
  if (argc > 2) options.samples = std::atoi(argv[2]);
  if (argc > 3) options.threads = static_cast<std::uint32_t>(std::atoi(argv[3]));
  const auto result = hearth::engine::compare(options);
  if (!result) {
    fmt::print(stderr, "hearth-state-bench: {}\n", result.error().message);
    return 3;
  }
  std::puts(hearth::dump_json(*result, 2).c_str());
  return 0;
}
