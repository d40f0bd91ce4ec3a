#pragma once
// A simulated transfer for the tests: one sender and one receiver, each of which may crash and
// come back, a producer that makes chunks in time, an engine that imports them, and a network that
// loses, repeats, delays, cuts and damages. One thread, virtual time, everything from one seed.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "hearth/base/random.h"
#include "hearth/base/virtual_time.h"
#include "hearth/kv/sync.h"
#include "hearth/kv/test_support.h"

namespace hearth::kv {

struct SimulationOptions {
  std::uint64_t seed = 0;
  double request_lost = 0;  // the peer never sees it
  double reply_lost = 0;    // the peer did it, the sender does not learn of it
  double duplicated = 0;    // the request arrives twice
  double body_cut = 0;
  double body_damaged = 0;
  double link_drops = 0;    // per request: the connection breaks at a random moment
  int sender_crashes = 0;
  int receiver_crashes = 0;
  double lost_in_crash = 0.3;  // a chunk that was not on disk yet
  Duration delay_max = std::chrono::milliseconds(5);

  static SimulationOptions with_faults(std::uint64_t seed);
};

struct SimulationReport {
  bool is_done = false;             // the last sender said so
  bool is_complete = false;         // the receiver imported all
  std::string violation;            // empty: every rule held
  std::string sender_error;
  std::uint32_t chunk_count = 0;
  std::uint32_t puts = 0, queries = 0, resent = 0;
  std::uint32_t excuses = 0;        // what may cost a further put
  std::uint32_t duplicates_refused = 0, damaged_refused = 0, busy_refused = 0;
};

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options);
  SimulationReport run();

 private:
  using Event = VirtualTime::Event;

  Duration delay() { return Duration(static_cast<std::int64_t>(random_.below(
      static_cast<std::uint64_t>(options_.delay_max.count()) + 1))); }
  void violate(const std::string& what);

  // sender's machine
  void start_sender();
  void pump_sender();
  void produce();
  void crash_sender();
  void send_query(const QueryMissing& query);
  void send_put(const PutChunk& put);
  void sender_ended();
  // Runs on the sender's machine, unless that has crashed or the link has broken since.
  void reply(Event event);

  // receiver's machine
  void start_receiver();
  void crash_receiver();
  void on_put_request(const Bytes& body, AttemptId attempt);
  void on_put_body(Reservation reservation, const SharedChunk& chunk, bool is_cut,
                   AttemptId attempt);
  void answer_put(std::expected<std::uint32_t, Refusal> outcome, AttemptId attempt);
  void pump_receiver();
  void import(std::uint32_t index, const SharedChunk& chunk);

  void drain();
  bool needs_another_transfer() const;
  void check_end();

  SimulationOptions options_;
  Random random_;
  SyncParameters parameters_;
  TestChain chain_;
  ReceiverLimits limits_;
  Duration compute_{}, import_time_{};
  VirtualTime time_;

  std::unique_ptr<ChunkSender> sender_;
  std::uint64_t sender_life_ = 0;   // changes with crash and new transfer
  std::uint64_t counted_life_ = 0;  // whose statistics are in the report
  std::uint64_t link_life_ = 0;
  std::map<std::uint32_t, SharedChunk> sender_store_;

  std::optional<ChunkReceiver> receiver_;  // nothing while it is down
  std::uint64_t receiver_life_ = 0;
  std::map<ChunkKey, SharedChunk> receiver_store_;
  std::vector<ChunkKey> imported_;  // by the engine, since it was started

  SimulationReport report_;
};

}  // namespace hearth::kv
