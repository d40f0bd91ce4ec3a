#include "tests/sim/toy_worker.h"

#include <fmt/format.h>

#include <utility>

namespace hearth::sim {
namespace {

constexpr Duration load_time = std::chrono::milliseconds(800);

Duration to_duration(double s) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
}

}  // namespace

void ToyStore::evict(Random& random, bool even_pinned) {
  if (chunks.empty()) return;
  auto at = std::next(chunks.begin(), static_cast<std::ptrdiff_t>(random.below(chunks.size())));
  if (even_pinned || !pins.contains(at->first)) chunks.erase(at);
}

void ToyStore::crash(Random& random, double lost_share) {
  pins.clear();
  std::erase_if(chunks, [&](const auto&) { return random.chance(lost_share); });
}

ToyWorker::ToyWorker(World& world, const Process& agent, Speeds its_speeds)
    : speeds(its_speeds), world_(world), agent_(agent) {
  process.name = agent.name + "/worker";
  process.machine = agent.machine;
}

void ToyWorker::on_agent_started() {
  supervisor_ = cluster::Supervisor();
  keep();
}

void ToyWorker::on_agent_ended() {
  process.is_up = false;
  sequences_.clear();
}

void ToyWorker::keep() {
  const cluster::SupervisorAction action = supervisor_.next(world_.now());
  if (std::holds_alternative<cluster::StartProcess>(action)) {
    world_.at(load_time, agent_, [this] {
      supervisor_.on_running();
      process.is_up = true;
      ++process.life;
      free_at_ = world_.now();
      on_up();
    });
  } else if (const auto* pause = std::get_if<cluster::PauseUntil>(&action)) {
    world_.at(pause->when - world_.now(), agent_, [this] { keep(); });
  }
}

void ToyWorker::crash() {
  if (!process.is_up) return;
  process.is_up = false;
  sequences_.clear();
  supervisor_.on_ended("ended by signal 9", world_.now());
  on_lost();
  keep();
}

void ToyWorker::work(double seconds, Thunk done) {
  free_at_ = std::max(free_at_, world_.now()) + to_duration(seconds);
  world_.at(free_at_ - world_.now(), process, std::move(done));
}

double ToyWorker::queue_s() const { return std::max(0.0, seconds(free_at_ - world_.now())); }

std::optional<std::uint64_t> ToyWorker::open() {
  if (!process.is_up || sequences_.size() >= speeds.sequences_max) return {};
  sequences_[++last_sequence_];
  return last_sequence_;
}

std::size_t ToyWorker::chunk_count(std::uint64_t sequence) const {
  const auto found = sequences_.find(sequence);
  return found == sequences_.end() ? 0 : found->second.size();
}

void ToyWorker::import(std::uint64_t sequence, const Prompt& prompt, const kv::Chunk& chunk,
                       std::function<void(bool)> done) {
  if (chunk.payload.size() != sizeof(Digest256)) {
    return work(speeds.import_s, [done = std::move(done)] { done(false); });
  }
  const kv::ChunkKey key = kv_of(chunk);
  work(speeds.import_s, [this, sequence, &prompt, key, done = std::move(done)] {
    const auto found = sequences_.find(sequence);
    if (found != sequences_.end()) {
      auto& keys = found->second;
      if (keys.size() >= prompt.keys.size() || prompt.keys[keys.size()] != key) {
        world_.violate(fmt::format("chunk {} of a prompt was imported with other KV", keys.size()));
      }
      keys.push_back(key);
    }
    done(true);
  });
}

void ToyWorker::generate(std::uint64_t sequence, std::shared_ptr<const Prompt> prompt,
                         std::function<void(std::uint32_t, std::uint32_t, double)> computed,
                         std::function<void(std::uint32_t, Token)> on_token, Thunk done) {
  compute(sequence, prompt, prompt->end_of(chunk_count(sequence)), computed, [=, this] {
    decode(sequence, toy_answer(*prompt, sequences_.at(sequence)), 0, on_token, done);
  });
}

// In pieces, so that others get their turn.
void ToyWorker::compute(std::uint64_t sequence, std::shared_ptr<const Prompt> prompt,
                        std::uint32_t depth,
                        std::function<void(std::uint32_t, std::uint32_t, double)> computed,
                        Thunk done) {
  const std::uint32_t left = prompt->token_count() - depth;
  if (left == 0) return done();
  const std::uint32_t fresh = std::min(left, toy_chunk_tokens);
  const double cost_s = speeds.prefill_s(fresh, depth);
  work(cost_s, [=, this] {
    if (!sequences_.contains(sequence)) return;
    computed(fresh, depth, cost_s);
    compute(sequence, prompt, depth + fresh, computed, done);
  });
}

void ToyWorker::decode(std::uint64_t sequence, std::vector<Token> answer, std::uint32_t index,
                       std::function<void(std::uint32_t, Token)> on_token, Thunk done) {
  if (index == answer.size()) return done();
  work(speeds.decode_s, [=, this] {
    if (!sequences_.contains(sequence)) return;
    on_token(index, answer[index]);
    decode(sequence, answer, index + 1, on_token, done);
  });
}

}  // namespace hearth::sim
