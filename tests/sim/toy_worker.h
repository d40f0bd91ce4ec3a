#pragma once
// The worker process of a simulated machine: one engine that does one thing at a time, sequences
// that hold KV, and a supervisor of the real kind that starts it again.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/cluster/supervisor.h"
#include "tests/sim/toy_model.h"
#include "tests/sim/world.h"

namespace hearth::sim {

struct Speeds {
  double token_s = 0.01, depth_token_s = 1e-5;  // prefill, see cluster::PrefillCurve
  double import_s = 0.005;                      // a chunk
  double decode_s = 0.05;
  std::uint32_t sequences_max = 3;

  double prefill_s(std::uint32_t new_tokens, std::uint32_t depth) const {
    return new_tokens * (token_s + depth_token_s * (depth + new_tokens / 2.0));
  }
};

// One store of chunks, as far as the cluster sees it.
struct ToyStore {
  std::map<kv::ChunkKey, kv::SharedChunk> chunks;
  std::map<kv::ChunkKey, int> pins;

  kv::SharedChunk find(const kv::ChunkKey& key) const {
    const auto found = chunks.find(key);
    return found == chunks.end() ? nullptr : found->second;
  }
  std::size_t prefix(const Prompt& prompt) const {
    std::size_t count = 0;
    while (count < prompt.keys.size() && chunks.contains(prompt.keys[count])) ++count;
    return count;
  }
  void pin(const kv::ChunkKey& key) { ++pins[key]; }
  void unpin(const kv::ChunkKey& key) {
    if (--pins[key] == 0) pins.erase(key);
  }
  void evict(Random& random, bool even_pinned);
  void crash(Random& random, double lost_share);
};

class ToyWorker {
 public:
  // `agent` starts it and takes it along when it dies.
  ToyWorker(World& world, const Process& agent, Speeds speeds);

  void on_agent_started();
  void on_agent_ended();
  void crash();
  Thunk on_up = [] {}, on_lost = [] {};

  // Runs `done` when the engine has worked for so long on it, after what it does already.
  void work(double seconds, Thunk done);
  double queue_s() const;

  std::optional<std::uint64_t> open();
  void close(std::uint64_t sequence) { sequences_.erase(sequence); }
  bool has(std::uint64_t sequence) const { return sequences_.contains(sequence); }
  std::size_t open_count() const { return sequences_.size(); }
  std::size_t chunk_count(std::uint64_t sequence) const;
  // The chunk is appended, or refused: `done` is told. `prompt` is only for the check that nothing
  // is out of place.
  void import(std::uint64_t sequence, const Prompt& prompt, const kv::Chunk& chunk,
              std::function<void(bool is_taken)> done);
  // Computes what the sequence lacks, then the answer. `computed` gets new tokens, depth, seconds.
  void generate(std::uint64_t sequence, std::shared_ptr<const Prompt> prompt,
                std::function<void(std::uint32_t, std::uint32_t, double)> computed,
                std::function<void(std::uint32_t, Token)> on_token, Thunk done);

  Process process;
  const Speeds speeds;
  const cluster::Supervisor& supervisor() const { return supervisor_; }

 private:
  void keep();
  void compute(std::uint64_t sequence, std::shared_ptr<const Prompt> prompt, std::uint32_t depth,
               std::function<void(std::uint32_t, std::uint32_t, double)> computed, Thunk done);
  void decode(std::uint64_t sequence, std::vector<Token> answer, std::uint32_t index,
              std::function<void(std::uint32_t, Token)> on_token, Thunk done);

  World& world_;
  const Process& agent_;
  cluster::Supervisor supervisor_;
  Instant free_at_{};
  std::uint64_t last_sequence_ = 0;
  std::map<std::uint64_t, std::vector<kv::ChunkKey>> sequences_;
};

}  // namespace hearth::sim
