// A pool of machines as one way more to have a prompt read (node/pool/gathered_prefiller.h), and what that teaches.
#include <utility>

#include "hearth/node/agent/prefill_coordinator.h"

namespace hearth::node {
namespace {

Instant now() { return std::chrono::steady_clock::now(); }

}  // namespace

// With the lock. The pool's worker is on this machine and takes what the store has.
cluster::PrefillSide PrefillCoordinator::pool_side(const PrefillOrder& order, bool was_asked) const {
  const auto worker = options_.pool->keeper().current();
  cluster::PrefillSide out{.name = options_.pool->name(), .is_pool = true, .takes_chunks = true, .is_preferred = true};
  if (was_asked) out.excluded = "was asked already";
  else if (!worker) out.excluded = "its worker is being started";
  else if (worker->info.layout() != order.layout) out.excluded = "its worker has another layout";
  else if (options_.pool->keeper().stall()) out.excluded = "its worker stands still";
  out.prompts_left_s = pool_queue_.left_s(now());
  out.held_tokens = holdings_.held_tokens(out.name, order.stored);
  return out;
}

Result<std::unique_ptr<ChunkSource>> PrefillCoordinator::ask_pool(const PrefillOrder& order, double work_s,
                                                                  const StopToken& stop) {
  const auto worker = keeper_.current();
  if (!worker) return fail(Code::unavailable, "the worker is being started");
  const std::string name = options_.pool->name();
  const cluster::MachineModel here{options_.machine, worker->info.model_name}, there{name, worker->info.model_name};
  // What was computed before the first piece that is wanted went into the time of that piece.
  const std::uint32_t untimed_begin = order.from() > 0 ? order.from() : UINT32_MAX;
  GatheredWatch watch{
      .on_begun =
          [=, this](Duration answered) {
            const std::lock_guard hold(mutex_);
            rates_.observe_round_trip({options_.machine, name}, seconds(answered), now());
          },
      .on_piece =
          [=, this, request = order.request](const GatheredPiece& piece) {
            const std::lock_guard hold(mutex_);
            holdings_.add(name, piece.key);
            rates_.observe_transfer({name, options_.machine}, piece.bytes, seconds(piece.transfer), now());
            if (piece.range.begin == untimed_begin || !pool_queue_.is_alone(request)) return;
            rates_.observe_prefill(there, piece.range.count(), piece.range.begin, seconds(piece.computed), now());
          },
      .on_imported =
          [=, this](std::uint32_t tokens, Duration took) {
            const std::lock_guard hold(mutex_);
            rates_.observe_import(here, tokens, seconds(took), now());
          },
      .on_lost =
          [=, this, request = order.request](const Error& error, std::uint32_t committed_tokens) {
            const std::lock_guard hold(mutex_);
            finish_here(name, request, error.message, committed_tokens);
          },
      .on_over =
          [this, request = order.request] {
            const std::lock_guard hold(mutex_);
            (void)pool_queue_.end(request, now());
          }};
  {
    const std::lock_guard hold(mutex_);
    pool_queue_.begin(order.request, work_s, now());
  }
  auto source = TRY(options_.pool->read(order, std::move(watch), stop));
  if (source == nullptr) return fail(Code::unavailable, "the pool's worker is being started");
  return source;
}

}  // namespace hearth::node
