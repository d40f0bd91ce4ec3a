#pragma once
// Virtual time and the network of a simulated cluster. Everything that happens is an event of one
// queue, and every chance comes from one seed: the same seed is the same run.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hearth/base/random.h"
#include "hearth/base/virtual_time.h"

namespace hearth::sim {

using Thunk = VirtualTime::Event;
using Machine = std::uint32_t;

// Rules that the simulated drivers break on purpose, to show that the checks notice.
enum class Sabotage : std::uint8_t {
  none,
  import_twice,
  forget_lease,     // of the worker's sequence, when a hand-off ends in failure
  forget_body_cut,  // of bodies that were under way when a hand-off ended
  forget_pin,
  repeat_token,
  never_free_desk,  // the prefill side keeps its slot
  trust_everybody,  // a chunk is imported though the receiver refused it
};

struct Faults {
  double lost = 0, duplicated = 0, replayed = 0, damaged = 0, body_cut = 0;
  Duration delay_max = std::chrono::milliseconds(2);
  int cuts = 0;  // both ways, or one way only: half-open
  int slow_links = 0;
  int decode_agent_crashes = 0, decode_worker_crashes = 0, coordinator_crashes = 0;
  int prefill_agent_crashes = 0, prefill_worker_crashes = 0;
  int evictions = 0;
  int sleeps = 0;  // a laptop that is closed and opened again
  double leaving_clients = 0;
  bool has_liar = false;
  double lost_in_crash = 0.3;  // stored chunks that were not on disk yet
};

struct SimulationOptions {
  std::uint64_t seed = 0;
  std::uint32_t machines = 3;  // one decodes, the others prefill
  std::uint32_t requests = 6;
  Duration arrivals_within = std::chrono::seconds(20);  // and faults in ten seconds more
  std::uint64_t events_max = 400'000;                  // more of them: it does not end
  Faults faults;
  Sabotage sabotage = Sabotage::none;
  bool all_usable = false;         // every peer is measured and has the layout
  std::optional<std::string> way;  // not the choice, but this: a peer's name, or "" for alone

  bool checks_cancel = false;  // a cancelled prefill ends within a round trip: in calm networks
  static SimulationOptions calm(std::uint64_t seed);
  static SimulationOptions with_faults(std::uint64_t seed);
};

// A program that can die. What was scheduled by one life does not happen in the next.
struct Process {
  std::string name;
  Machine machine = 0;
  bool is_up = false;
  std::uint64_t life = 0;  // its incarnation
};

class World {
 public:
  explicit World(const SimulationOptions& options);

  const SimulationOptions& options() const { return options_; }
  Instant now() const { return time_.now(); }
  Random& random() { return random_; }
  Duration up_to(Duration most) {
    return Duration(
        static_cast<std::int64_t>(random_.uniform() * static_cast<double>(most.count())));
  }
  bool is_sabotaged(Sabotage what) const { return options_.sabotage == what; }

  void at(Duration delay, Thunk event) { time_.after(delay, std::move(event)); }
  // Happens only if that process still lives then, in the same life.
  void at(Duration delay, const Process& process, Thunk event);
  // Runs events until none is left; `check` after each.
  void run(const Thunk& check);
  void violate(const std::string& what);
  const std::string& violation() const { return violation_; }
  std::uint64_t event_count() const { return event_count_; }

  // A message of a network call.
  struct Delivery {
    bool is_damaged = false, is_cut = false;
    std::function<void(Thunk)> reply;  // at most once
  };
  // Runs `serve` at the other end if it gets there; what `serve` gives to `reply` runs here, if
  // that gets back. `refused`: the other process is not there.
  void call(
      const Process& from, const Process& to, std::uint64_t bytes,
      std::function<void(const Delivery&)> serve, Thunk refused = [] {});

  struct Link {
    double bytes_per_s = 100e6;
    Instant free_at{};
    Instant cut_until{};
    Instant slow_until{};
  };
  Link& link(Machine from, Machine to) { return links_[{from, to}]; }
  // Its processes live on and do nothing; what is sent to it is lost.
  void sleep(Machine machine, Duration how_long) { awake_at_[machine] = now() + how_long; }

 private:
  void happen(const Process& process, std::uint64_t life, const Thunk& event);
  // Or loses it.
  void carry(Machine from, Machine to, std::uint64_t bytes, const Thunk& arrive);

  SimulationOptions options_;
  Random random_;
  VirtualTime time_{Instant(std::chrono::hours(24 * 365))};
  std::uint64_t event_count_ = 0;
  std::map<std::pair<Machine, Machine>, Link> links_;
  std::map<Machine, Instant> awake_at_;
  std::string violation_;
};

}  // namespace hearth::sim
