#include "tests/sim/world.h"

#include <utility>

namespace hearth::sim {
namespace {

constexpr double slow_factor = 100;
constexpr Duration replay_delay_max = std::chrono::seconds(40);

}  // namespace

SimulationOptions SimulationOptions::calm(std::uint64_t seed) {
  Random random(seed ^ 0xca12);
  SimulationOptions out;
  out.seed = seed;
  out.machines = static_cast<std::uint32_t>(2 + random.below(4));
  out.requests = static_cast<std::uint32_t>(2 + random.below(8));
  return out;
}

SimulationOptions SimulationOptions::with_faults(std::uint64_t seed) {
  SimulationOptions out = calm(seed);
  Random random(seed ^ 0xfa171);
  const auto sometimes = [&](double most) {
    return random.chance(0.4) ? random.uniform() * most : 0;
  };
  const auto few = [&](std::uint64_t most) {
    return random.chance(0.4) ? static_cast<int>(random.below(most) + 1) : 0;
  };
  Faults& f = out.faults;
  f.lost = sometimes(0.15);
  f.duplicated = sometimes(0.3);
  f.replayed = sometimes(0.1);
  f.damaged = sometimes(0.15);
  f.body_cut = sometimes(0.15);
  f.delay_max = std::chrono::milliseconds(1 + random.below(300));
  f.cuts = few(4);
  f.slow_links = few(3);
  f.decode_agent_crashes = few(2);
  f.decode_worker_crashes = few(3);
  f.coordinator_crashes = few(2);
  f.prefill_agent_crashes = few(4);
  f.prefill_worker_crashes = few(4);
  f.evictions = few(10);
  f.sleeps = few(2);
  f.leaving_clients = sometimes(0.5);
  f.has_liar = random.chance(0.15);
  return out;
}

World::World(const SimulationOptions& options) : options_(options), random_(options.seed) {}

void World::at(Duration delay, const Process& process, Thunk event) {
  at(delay, [this, &process, life = process.life, event = std::move(event)] {
    happen(process, life, event);
  });
}

void World::happen(const Process& process, std::uint64_t life, const Thunk& event) {
  if (!process.is_up || process.life != life) return;
  const Duration asleep = awake_at_[process.machine] - now();
  if (asleep <= Duration::zero()) return event();
  at(asleep, [this, &process, life, event] { happen(process, life, event); });
}

void World::violate(const std::string& what) {
  if (violation_.empty()) violation_ = what;
}

void World::run(const Thunk& check) {
  while (!time_.is_over() && violation_.empty()) {
    if (++event_count_ > options_.events_max) return violate("does not end");
    time_.step();
    check();
  }
}

void World::carry(Machine from, Machine to, std::uint64_t bytes, const Thunk& arrive) {
  const Faults& faults = options_.faults;
  Link& way = link(from, to);
  if (from != to && (random_.chance(faults.lost) || now() < way.cut_until)) return;
  const double rate = way.bytes_per_s / (now() < way.slow_until ? slow_factor : 1);
  const Duration wire = from == to
                            ? Duration::zero()
                            : std::chrono::duration_cast<Duration>(
                                  std::chrono::duration<double>(static_cast<double>(bytes) / rate));
  way.free_at = std::max(way.free_at, now()) + wire;
  // Unequal delays: what was sent later may arrive earlier.
  at(way.free_at - now() + std::chrono::microseconds(100) + up_to(faults.delay_max),
     [this, to, arrive] {
       if (now() >= awake_at_[to]) arrive();
     });
}

void World::call(const Process& from, const Process& to, std::uint64_t bytes,
                 std::function<void(const Delivery&)> serve, Thunk refused) {
  const Faults& faults = options_.faults;
  const auto back = [this, &from, &to, life = from.life](const Thunk& thunk) {
    carry(to.machine, from.machine, 200, [&from, life, thunk] {
      if (from.is_up && from.life == life) thunk();
    });
  };
  Delivery delivery{random_.chance(faults.damaged), random_.chance(faults.body_cut), back};
  const Thunk arrive = [&to, back, serve = std::move(serve), refused = std::move(refused),
                        delivery] {
    if (!to.is_up) return back(refused);
    serve(delivery);
  };
  carry(from.machine, to.machine, bytes, arrive);
  if (random_.chance(faults.duplicated)) carry(from.machine, to.machine, bytes, arrive);
  if (random_.chance(faults.replayed)) {
    at(up_to(replay_delay_max),
       [this, &from, &to, arrive] { carry(from.machine, to.machine, 200, arrive); });
  }
}

}  // namespace hearth::sim
