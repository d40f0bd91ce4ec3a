#include "hearth/kv/sync_simulation.h"

#include <fmt/format.h>

#include <utility>

#include "hearth/kv/chunk_stream.h"

namespace hearth::kv {
namespace {

constexpr std::uint64_t events_max = 50'000;
constexpr int transfers_max = 20;  // a new one after a crash, or when a chunk is gone again

}  // namespace

SimulationOptions SimulationOptions::with_faults(std::uint64_t seed) {
  Random random(seed ^ 0xfa171);
  const auto sometimes = [&](double most) { return random.chance(0.5) ? random.uniform() * most : 0; };
  SimulationOptions out;
  out.seed = seed;
  out.request_lost = sometimes(0.2);
  out.reply_lost = sometimes(0.2);
  out.duplicated = sometimes(0.3);
  out.body_cut = sometimes(0.2);
  out.body_damaged = sometimes(0.2);
  out.link_drops = sometimes(0.2);
  out.sender_crashes = static_cast<int>(random.below(3));
  out.receiver_crashes = static_cast<int>(random.below(3));
  out.delay_max = std::chrono::milliseconds(1 + random.below(200));
  return out;
}

Simulation::Simulation(const SimulationOptions& options)
    : options_(options), random_(options.seed) {
  const std::size_t chunk_tokens = 1 + random_.below(8);
  const std::size_t token_count = 1 + random_.below(12 * chunk_tokens);
  chain_ = test_chain(options.seed, token_count, chunk_tokens, 20 + random_.below(200));
  report_.chunk_count = static_cast<std::uint32_t>(chain_.chunks.size());
  compute_ = std::chrono::milliseconds(1 + random_.below(50));
  import_time_ = std::chrono::milliseconds(1 + random_.below(60));
  const std::uint64_t one = chunk_bytes(chain_.chunks[0]->header);
  limits_.staging_bytes_max = one * (1 + random_.below(4));
  parameters_.link_bytes_per_s = 1e6;
  parameters_.chunk_compute = compute_;
  parameters_.chunk_import = import_time_;
  parameters_.attempts_max = 12;
}

void Simulation::violate(const std::string& what) {
  if (report_.violation.empty()) report_.violation = what;
}

SimulationReport Simulation::run() {
  // Some of the chain may be there from an earlier turn.
  for (const SharedChunk& chunk : chain_.chunks) {
    if (random_.chance(0.1)) receiver_store_[chunk->header.key] = chunk;
  }
  start_receiver();
  start_sender();
  const Duration span = compute_ * static_cast<int>(2 * report_.chunk_count);
  const auto moment = [&] { return Duration(static_cast<std::int64_t>(
      random_.uniform() * static_cast<double>(span.count()))); };
  for (int i = 0; i < options_.sender_crashes; ++i) time_.after(moment(), [this] { crash_sender(); });
  for (int i = 0; i < options_.receiver_crashes; ++i) time_.after(moment(), [this] { crash_receiver(); });
  for (int transfer = 0; transfer < transfers_max; ++transfer) {
    drain();
    if (!report_.violation.empty() || !needs_another_transfer()) break;
    // The peer lost chunks after the sender was done: the hand-off asks for another transfer.
    start_sender();
  }
  if (report_.violation.empty()) check_end();
  return report_;
}

void Simulation::drain() {
  for (std::uint64_t handled = 0; !time_.is_over() && report_.violation.empty(); ++handled) {
    if (handled > events_max) violate("does not end");
    time_.step();
    if (receiver_ && receiver_->statistics().staged_bytes > limits_.staging_bytes_max) {
      violate("staging beyond its bound");
    }
  }
}

bool Simulation::needs_another_transfer() const {
  return report_.is_done && receiver_ && !receiver_->missing().empty();
}

void Simulation::start_sender() {
  ++sender_life_;
  sender_ = std::make_unique<ChunkSender>(chain_.keys(), parameters_, random_.next(), time_.now());
  report_.is_done = false;
  report_.sender_error.clear();
  for (const auto& [index, chunk] : sender_store_) {
    sender_->on_available(index, chunk_bytes(chunk->header), time_.now());
  }
  time_.after(compute_, [this, life = sender_life_] {
    if (life == sender_life_) produce();
  });
  pump_sender();
}

// Prefill: makes the first chunk that is not in the store, one after another.
void Simulation::produce() {
  for (std::uint32_t i = 0; i < report_.chunk_count; ++i) {
    if (sender_store_.contains(i)) continue;
    sender_store_[i] = chain_.chunks[i];
    if (!sender_->is_over()) {
      sender_->on_available(i, chunk_bytes(chain_.chunks[i]->header), time_.now());
      pump_sender();
    }
    time_.after(compute_, [this, life = sender_life_] {
      if (life == sender_life_) produce();
    });
    return;
  }
}

void Simulation::crash_sender() {
  if (!sender_ || sender_->is_over()) return;
  ++report_.excuses;  // one chunk was in flight
  sender_ended();
  ++sender_life_;
  sender_.reset();
  std::erase_if(sender_store_, [&](const auto&) { return random_.chance(options_.lost_in_crash); });
  time_.after(std::chrono::milliseconds(random_.below(500)), [this] { start_sender(); });
}

void Simulation::sender_ended() {
  if (std::exchange(counted_life_, sender_life_) == sender_life_) return;
  const SenderStatistics& s = sender_->statistics();
  report_.puts += s.puts;
  report_.queries += s.queries;
  report_.resent += s.resent;
  report_.excuses += s.failures + s.busy;
}

void Simulation::pump_sender() {
  const SendAction action = sender_->next(time_.now());
  if (const auto* query = std::get_if<QueryMissing>(&action)) {
    send_query(*query);
    pump_sender();
  } else if (const auto* put = std::get_if<PutChunk>(&action)) {
    send_put(*put);
    pump_sender();
  } else if (const auto* wait = std::get_if<WaitUntil>(&action)) {
    time_.after(wait->when - time_.now(), [this, life = sender_life_] {
      if (life == sender_life_ && !sender_->is_over()) pump_sender();
    });
  } else if (const auto* failed = std::get_if<GiveUp>(&action)) {
    report_.sender_error = failed->error.message;
  } else {
    report_.is_done = true;
  }
  if (sender_->is_over()) sender_ended();
}

void Simulation::reply(Event event) {
  if (random_.chance(options_.reply_lost)) return;
  time_.after(delay(), [this, life = sender_life_, link = link_life_, event = std::move(event)] {
    if (life != sender_life_ || link != link_life_ || !sender_) return;
    if (sender_->is_over()) return;
    event();
    pump_sender();
  });
}

void Simulation::send_query(const QueryMissing& query) {
  if (random_.chance(options_.request_lost)) return;
  time_.after(delay(), [this, attempt = query.attempt, link = link_life_] {
    if (!receiver_ || link != link_life_) return;
    reply([this, attempt, missing = receiver_->missing()] {
      sender_->on_missing(attempt, missing, time_.now());
    });
  });
}

void Simulation::send_put(const PutChunk& put) {
  const AttemptId attempt = put.attempt;
  if (put.key != chain_.keys()[put.index]) violate("a put under another key");
  if (!sender_store_.contains(put.index)) violate("a put of a chunk that is not there");
  if (random_.chance(options_.link_drops)) {
    time_.after(delay(), [this, life = sender_life_] {
      if (life != sender_life_ || sender_->is_over()) return;
      ++link_life_;
      sender_->on_link_lost(time_.now());
      pump_sender();
    });
  }
  if (random_.chance(options_.request_lost)) return;
  Bytes body = encode_chunk(*sender_store_.at(put.index));
  if (random_.chance(options_.body_cut)) body.resize(random_.below(body.size()));
  if (!body.empty() && random_.chance(options_.body_damaged)) {
    body[random_.below(body.size())] ^= std::byte{1};
  }
  const int copies = random_.chance(options_.duplicated) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    time_.after(delay(), [this, body, attempt, link = link_life_] {
      if (receiver_ && link == link_life_) on_put_request(body, attempt);
    });
  }
}

void Simulation::on_put_request(const Bytes& body, AttemptId attempt) {
  ChunkStreamReader reader;
  ByteSpan input = body;
  const auto first = reader.next(input);
  const auto* read =
      first ? std::get_if<ChunkStreamReader::HeaderRead>(&*first) : nullptr;
  if (read == nullptr) return answer_put(std::unexpected(Refusal::payload_size), attempt);
  const auto reservation = receiver_->admit(read->header.key, chunk_bytes(read->header));
  if (!reservation) return answer_put(std::unexpected(reservation.error()), attempt);
  const bool is_cut = input.size() < read->header.payload_bytes;
  Chunk chunk;
  chunk.header = read->header;
  chunk.payload = Buffer::create(input.size()).value();
  std::copy(input.begin(), input.end(), chunk.payload.data());
  time_.after(delay(), [this, is_cut, attempt, reservation = *reservation, life = receiver_life_,
               shared = std::make_shared<const Chunk>(std::move(chunk))] {
    if (receiver_ && life == receiver_life_) on_put_body(reservation, shared, is_cut, attempt);
  });
}

void Simulation::on_put_body(Reservation reservation, const SharedChunk& chunk, bool is_cut,
                             AttemptId attempt) {
  if (is_cut) {
    receiver_->on_body_cut(reservation);
    return answer_put(std::unexpected(Refusal::payload_size), attempt);
  }
  const auto outcome = receiver_->on_body(reservation, chunk);
  if (outcome) receiver_store_[chunk->header.key] = chunk;
  answer_put(outcome, attempt);
  pump_receiver();
}

void Simulation::answer_put(std::expected<std::uint32_t, Refusal> outcome, AttemptId attempt) {
  std::optional<PutFailure> failure;
  if (!outcome) {
    report_.duplicates_refused += outcome.error() == Refusal::duplicate;
    report_.damaged_refused += outcome.error() == Refusal::payload_digest ||
                               outcome.error() == Refusal::payload_size;
    report_.busy_refused += outcome.error() == Refusal::busy;
    failure = put_failure_of(outcome.error());
    if (failure == PutFailure::refused) violate(std::string("honest chunk refused: ") +
                                                std::string(refusal_name(outcome.error())));
  }
  reply([this, attempt, failure] {
    if (!failure) return sender_->on_stored(attempt, time_.now());
    sender_->on_put_failed(attempt, *failure, {Code::unavailable, "refused"}, time_.now());
  });
}

void Simulation::start_receiver() {
  ++receiver_life_;
  imported_.clear();
  auto made = ChunkReceiver::create({chain_.layout, chain_.keys(), chain_.ranges()}, limits_);
  receiver_.emplace(std::move(made).value());
  for (const auto& [key, chunk] : receiver_store_) receiver_->on_held(key);
  pump_receiver();
}

void Simulation::crash_receiver() {
  if (!receiver_) return;
  receiver_.reset();
  ++receiver_life_;
  report_.excuses += static_cast<std::uint32_t>(
      std::erase_if(receiver_store_, [&](const auto&) { return random_.chance(options_.lost_in_crash); }));
  ++report_.excuses;  // a body that was on its way
  time_.after(std::chrono::milliseconds(random_.below(500)), [this] { start_receiver(); });
}

void Simulation::pump_receiver() {
  const ReceiveAction action = receiver_->next();
  if (const auto* staged = std::get_if<ImportStaged>(&action)) {
    import(staged->index, staged->chunk);
  } else if (const auto* held = std::get_if<ImportHeld>(&action)) {
    const auto found = receiver_store_.find(held->key);
    if (found == receiver_store_.end()) return violate("held, yet not in the store");
    // Now and then the store finds the file damaged.
    if (options_.body_damaged > 0 && random_.chance(0.05)) {
      receiver_store_.erase(found);
      ++report_.excuses;
      receiver_->on_lost(held->key);
      return pump_receiver();
    }
    import(held->index, found->second);
  } else if (std::holds_alternative<ImportFailed>(action)) {
    violate("an import failed");
  }
}

void Simulation::import(std::uint32_t index, const SharedChunk& chunk) {
  const Chunk& original = *chain_.chunks[index];
  if (chunk->header != original.header || !same_bytes(chunk->payload, original.payload)) {
    violate(fmt::format("chunk {} arrived changed", index));
  }
  if (imported_.size() != index) {
    violate(fmt::format("chunk {} imported as number {}", index, imported_.size()));
  }
  imported_.push_back(chunk->header.key);
  time_.after(import_time_, [this, index, life = receiver_life_] {
    if (!receiver_ || life != receiver_life_) return;
    receiver_->on_imported(index);
    pump_receiver();
  });
}

void Simulation::check_end() {
  report_.is_complete = imported_ == chain_.keys();
  if (!receiver_ || !sender_ || !sender_->is_over()) return violate("somebody waits for ever");
  if (report_.puts > report_.chunk_count + report_.excuses) {
    violate(fmt::format("{} puts for {} chunks and {} failures", report_.puts,
                        report_.chunk_count, report_.excuses));
  }
  if (report_.is_done && !report_.is_complete) violate("done, yet not all is imported");
}

}  // namespace hearth::kv
