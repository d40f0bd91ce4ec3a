// Several hand-offs to one machine, over one link and with one room for what arrives: both state machines of each, real
// chunks of memory, in virtual time. The link carries one body at a time, in the order in which they were begun; the
// worker imports one chunk at a time.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hearth/base/virtual_time.h"
#include "hearth/cluster/decode_run.h"
#include "hearth/cluster/prefill_run.h"
#include "hearth/kv/sync.h"
#include "hearth/kv/test_support.h"

namespace hearth::cluster {
namespace {

using std::chrono::milliseconds;

constexpr Duration round_trip = milliseconds(1);
constexpr std::uint64_t events_max = 1'000'000;

struct Scene {
  std::uint32_t hand_offs = 1;
  std::uint32_t chunks = 24;  // of each; all of them are computed when it begins
  std::uint32_t chunk_tokens = 16;
  std::size_t payload_bytes = 1'000;
  std::uint64_t room_bytes = 1ull << 30;
  Duration wire = milliseconds(10);   // a chunk on the link
  Duration import = milliseconds(1);  // a chunk into the worker
  Duration last_begins{};             // so much later than the others

  std::uint64_t chunk_bytes() const {
    kv::ChunkHeader header;
    header.tokens.resize(chunk_tokens);
    header.payload_bytes = payload_bytes;
    return kv::chunk_bytes(header);
  }
  std::uint32_t token_count() const { return chunks * chunk_tokens; }
};

class SharedLink {
 public:
  struct Arrival {
    std::uint32_t hand_off;
    Instant at;
  };

  explicit SharedLink(const Scene& scene)
      : scene_(scene), room_(std::make_shared<kv::StagingRoom>(scene.room_bytes)), hand_offs_(scene.hand_offs) {}

  // Until nothing happens any more; every hand-off has to be complete then, and nothing left.
  void run() {
    for (std::uint32_t i = 0; i < scene_.hand_offs; ++i) {
      time_.after(i + 1 == scene_.hand_offs ? scene_.last_begins : Duration::zero(), [this, i] { begin(i); });
    }
    for (std::uint64_t handled = 0; !time_.is_over(); ++handled) {
      ASSERT_LT(handled, events_max) << "does not end";
      time_.step();
      ASSERT_LE(live_bytes_, scene_.room_bytes);
    }
    for (const HandOff& each : hand_offs_) {
      ASSERT_TRUE(each.over && each.has_sender_ended);
      EXPECT_EQ(each.over->kind, DecodeRunOver::Kind::complete) << each.over->reason;
      EXPECT_EQ(each.over->committed_tokens, scene_.token_count());
    }
    EXPECT_EQ(live_bytes_, 0u);
    EXPECT_EQ(room_->held_bytes() + room_->promised_bytes(), 0u);
  }

  const std::vector<Arrival>& arrivals() const { return arrivals_; }
  std::uint64_t peak_bytes() const { return peak_bytes_; }  // of all chunks that were in memory at once
  std::uint32_t busy() const { return busy_; }
  // The longest that one waited for a chunk, from when it began.
  Duration longest_wait(std::uint32_t hand_off) const {
    Duration longest{};
    Instant last = hand_offs_[hand_off].began;
    for (const Arrival& arrival : arrivals_) {
      if (arrival.hand_off != hand_off) continue;
      longest = std::max(longest, arrival.at - last);
      last = arrival.at;
    }
    return longest;
  }

 private:
  using Event = VirtualTime::Event;
  struct HandOff {
    std::vector<Token> tokens;
    kv::AnnouncedChain chain;
    Ticket ticket;
    std::optional<DecodeRun> decode;
    std::optional<PrefillRun> prefill;
    std::optional<DecodeRunOver> over;
    bool has_sender_ended = false;
    Instant began{}, decode_wake{}, prefill_wake{};
  };

  // When whatever is free at `free_at` has come to it and has worked so long.
  void after_work(Instant& free_at, Duration work, Event event) {
    free_at = std::max(free_at, time_.now()) + work;
    time_.after(free_at - time_.now(), std::move(event));
  }

  void begin(std::uint32_t i) {
    HandOff& it = hand_offs_[i];
    it.began = time_.now();
    it.tokens = kv::test_tokens(i + 1, scene_.token_count());
    it.chain.layout = kv::test_layout();
    for (const model::ChainLink& link :
         model::continue_chain(model::root_key(it.chain.layout), 0, it.tokens, scene_.chunk_tokens)) {
      it.chain.keys.push_back(link.key);
      it.chain.ranges.push_back(link.range);
    }
    it.ticket = {{1, i}, "studio", 1, 1, it.chain.layout, scene_.token_count(), std::chrono::seconds(30)};
    DecodeRunParameters parameters{.chunk_tokens = scene_.chunk_tokens};
    parameters.limits = {.staging_bytes_max = scene_.room_bytes, .chunk_bytes = scene_.chunk_bytes(), .room = room_};
    it.decode.emplace(DecodeRun::create(it.ticket, it.chain, parameters, time_.now()).value());
    pump_decode(i);
  }

  void pump_decode(std::uint32_t i) {
    HandOff& it = hand_offs_[i];
    while (!it.over) {
      const DecodeRunAction action = it.decode->next(time_.now());
      if (std::holds_alternative<AskPeer>(action)) {
        time_.after(round_trip, [this, i] { begin_prefill(i); });
      } else if (const auto* chunk = std::get_if<ImportChunk>(&action)) {
        after_work(worker_free_at_, scene_.import, [this, i, index = chunk->index] {
          hand_offs_[i].decode->on_imported(index, time_.now());
          pump_decode(i);
        });
      } else if (const auto* wait = std::get_if<WaitForReport>(&action)) {
        if (wait->until == Instant::max() || std::exchange(it.decode_wake, wait->until) == wait->until) return;
        return time_.after(wait->until - time_.now(), [this, i] { pump_decode(i); });
      } else if (const auto* over = std::get_if<DecodeRunOver>(&action)) {
        it.over = *over;
      }
    }
  }

  void begin_prefill(std::uint32_t i) {
    HandOff& it = hand_offs_[i];
    it.decode->on_accepted(std::chrono::seconds(2), time_.now());
    it.prefill.emplace(it.ticket, it.chain.keys, kv::SyncParameters{}, /*seed=*/i + 1, time_.now());
    for (std::uint32_t index = 0; index < scene_.chunks; ++index) {
      it.prefill->on_computed(it.chain.ranges[index].end, time_.now());
      it.prefill->on_available(index, scene_.chunk_bytes(), time_.now());
    }
    pump_prefill(i);
    pump_decode(i);
  }

  void pump_prefill(std::uint32_t i) {
    HandOff& it = hand_offs_[i];
    while (!it.has_sender_ended) {
      const PrefillRunAction action = it.prefill->next(time_.now());
      if (const auto* query = std::get_if<kv::QueryMissing>(&action)) {
        ask(i, [attempt = query->attempt](HandOff& its, Instant now) {
          its.prefill->on_missing(attempt, its.decode->missing(now), now);
        });
      } else if (const auto* told = std::get_if<SendProgress>(&action)) {
        ask(i, [done = told->done_tokens](HandOff& its, Instant now) {
          (void)its.decode->on_progress(done, now);
          its.prefill->on_acknowledged(now);
        });
      } else if (const auto* closing = std::get_if<SendClosing>(&action)) {
        ask(i, [manifest = closing->manifest](HandOff& its, Instant now) {
          its.decode->on_closing(manifest);
          its.prefill->on_acknowledged(now);
        });
      } else if (const auto* put = std::get_if<kv::PutChunk>(&action)) {
        send(i, *put);
      } else if (const auto* wait = std::get_if<WaitForReport>(&action)) {
        if (std::exchange(it.prefill_wake, wait->until) == wait->until) return;
        return time_.after(wait->until - time_.now(), [this, i] { pump_prefill(i); });
      } else {
        it.has_sender_ended = true;
      }
    }
  }

  // A message and its answer; where the hand-off is over, that is the answer.
  void ask(std::uint32_t i, std::function<void(HandOff&, Instant)> message) {
    time_.after(round_trip, [this, i, message = std::move(message)] {
      HandOff& it = hand_offs_[i];
      if (it.over) {
        it.prefill->on_peer_over();
      } else {
        message(it, time_.now());
        pump_decode(i);
      }
      pump_prefill(i);
    });
  }

  // Room for the body first; what is admitted is in memory from then on.
  void send(std::uint32_t i, const kv::PutChunk& put) {
    HandOff& it = hand_offs_[i];
    const auto reservation = it.decode->admit(put.key, scene_.chunk_bytes(), time_.now());
    if (!reservation) {
      busy_ += reservation.error() == kv::Refusal::busy;
      return answer(i, put.attempt, reservation.error());
    }
    after_work(link_free_at_, scene_.wire,
               [this, i, attempt = put.attempt, reservation = *reservation, chunk = make(it, put.index)] {
                 const auto staged = hand_offs_[i].decode->on_body(reservation, chunk, time_.now());
                 if (staged) arrivals_.push_back({i, time_.now()});
                 answer(i, attempt, staged ? std::nullopt : std::optional(staged.error()));
                 pump_decode(i);
               });
  }

  void answer(std::uint32_t i, kv::AttemptId attempt, std::optional<kv::Refusal> refusal) {
    time_.after(round_trip, [this, i, attempt, refusal] {
      PrefillRun& run = *hand_offs_[i].prefill;
      const auto failure = refusal ? kv::put_failure_of(*refusal) : std::nullopt;
      if (!failure) {
        run.on_stored(attempt, time_.now());
      } else if (*refusal == kv::Refusal::over) {
        run.on_peer_over();
      } else {
        run.on_put_failed(attempt, *failure, {Code::unavailable, std::string(kv::refusal_name(*refusal))}, time_.now());
      }
      pump_prefill(i);
    });
  }

  // A chunk that is counted while it lives.
  kv::SharedChunk make(const HandOff& it, std::uint32_t index) {
    const TokenRange range = it.chain.ranges[index];
    kv::ChunkOrigin origin;
    origin.layout = it.chain.layout;
    origin.parent = index == 0 ? model::root_key(it.chain.layout) : it.chain.keys[index - 1];
    origin.begin = range.begin;
    origin.tokens.assign(it.tokens.begin() + range.begin, it.tokens.begin() + range.end);
    Buffer payload = Buffer::create(scene_.payload_bytes).value();
    std::memset(payload.data(), static_cast<int>(index & 0xff), payload.size());
    auto made = std::make_unique<kv::Chunk>(kv::make_chunk(std::move(origin), std::move(payload)).value());
    const std::uint64_t bytes = kv::chunk_bytes(made->header);
    EXPECT_EQ(bytes, scene_.chunk_bytes());
    live_bytes_ += bytes;
    peak_bytes_ = std::max(peak_bytes_, live_bytes_);
    return kv::SharedChunk(made.release(), [this, bytes](const kv::Chunk* chunk) {
      live_bytes_ -= bytes;
      delete chunk;
    });
  }

  const Scene scene_;
  const std::shared_ptr<kv::StagingRoom> room_;
  std::uint64_t live_bytes_ = 0, peak_bytes_ = 0;
  std::uint32_t busy_ = 0;
  Instant link_free_at_{}, worker_free_at_{};
  std::vector<Arrival> arrivals_;
  std::vector<HandOff> hand_offs_;
  VirtualTime time_{Instant(std::chrono::hours(1))};  // its events hold chunks
};

TEST(HandOffsAtOnce, TwoToFourShareALinkFairly) {
  for (std::uint32_t count = 2; count <= 4; ++count) {
    SCOPED_TRACE(count);
    SharedLink link({.hand_offs = count});
    link.run();
    std::vector<std::uint32_t> arrived(count);
    for (const SharedLink::Arrival& arrival : link.arrivals()) {
      ++arrived[arrival.hand_off];
      const auto [least, most] = std::ranges::minmax(arrived);
      EXPECT_LE(most - least, 2u) << "one is ahead of the others";
    }
  }
}

TEST(HandOffsAtOnce, OneThatBeginsLaterGetsItsPartOfTheLinkAtOnce) {
  const Scene scene{.hand_offs = 3, .last_begins = milliseconds(200)};
  SharedLink link(scene);
  link.run();
  EXPECT_LE(link.longest_wait(2), 3 * scene.wire + 5 * round_trip);
}

// Room for one chunk of each, and a worker that is slower than the link.
TEST(HandOffsAtOnce, WithoutRoomForMoreEachGoesOnWithOneChunkAtATime) {
  Scene scene{.hand_offs = 4, .wire = milliseconds(1), .import = milliseconds(20)};
  scene.room_bytes = 4 * scene.chunk_bytes();
  SharedLink link(scene);
  link.run();
  EXPECT_GT(link.busy(), 0u);
  EXPECT_EQ(link.peak_bytes(), scene.room_bytes);
  for (std::uint32_t i = 0; i < scene.hand_offs; ++i) {
    EXPECT_LE(link.longest_wait(i), 2 * scene.hand_offs * (scene.wire + scene.import)) << i;
  }
}

// 512 MiB of KV through 64 MiB of memory, in one hand-off and in four at once.
TEST(HandOffsAtOnce, PromptsOf256kTokensPassThrough64MiB) {
  for (const std::uint32_t count : {1u, 4u}) {
    SCOPED_TRACE(count);
    const Scene scene{.hand_offs = count,
                      .chunks = 256 / count,
                      .chunk_tokens = 1'024,
                      .payload_bytes = 2u << 20,
                      .room_bytes = 64ull << 20,
                      .wire = milliseconds(1),
                      .import = milliseconds(20)};
    EXPECT_EQ(scene.token_count() * count, 262'144u);
    SharedLink link(scene);
    link.run();
    EXPECT_GT(link.busy(), 0u) << "the sender was never told to wait";
    EXPECT_LE(link.peak_bytes(), scene.room_bytes);
    EXPECT_GE(link.peak_bytes(), scene.room_bytes / 4);
  }
}

}  // namespace
}  // namespace hearth::cluster
