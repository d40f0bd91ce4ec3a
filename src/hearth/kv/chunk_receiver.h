#pragma once
// The other side: takes the chunks of one announced chain as they arrive, in any number of tries,
// and lets them be imported strictly in order, each once. No I/O, no clock, no thread.
//
// Nothing is believed: layout, key chain, position and digest are checked before a chunk is
// staged, and sizes before memory is spent. Whether the payload is
// a blob the engine may see is the importer's question. Not thread-safe: one thread, or the driver's lock.

#include <array>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "hearth/kv/chunk.h"
#include "hearth/kv/staging_room.h"
#include "hearth/kv/sync_parameters.h"

namespace hearth::kv {

// The chain as the hand-off announced it, from position 0.
struct AnnouncedChain {
  LayoutDigest layout;
  std::vector<ChunkKey> keys;
  std::vector<TokenRange> ranges;
};

struct ReceiverLimits {
  std::uint64_t staging_bytes_max = 256ull << 20;  // admitted or staged and not yet imported
  std::uint64_t chunk_bytes = 0;                   // the largest that comes, where that is known
  std::shared_ptr<StagingRoom> room = {};          // of all hand-offs of the machine
};

enum class Refusal : std::uint8_t {
  duplicate,       // it is here already: to the peer that is success
  gap,             // a chunk before it is missing
  busy,            // staging is full, its own or the machine's: again later
  foreign_layout,
  forged_key,
  not_announced,   // an honest chunk of some other chain
  wrong_range,     // the announced key at another position
  too_large,       // would never fit
  payload_size,    // cut or padded on the way: send again
  payload_digest,  // damaged on the way: send again
  partial_end,     // the chain's last chunk, without the state that the chain is for
  over,            // cancelled or failed
};
inline constexpr std::size_t refusal_count = 12;
std::string_view refusal_name(Refusal refusal);

struct Reservation {
  std::uint64_t id = 0;
};

// Import this chunk now; nothing before it is left to import.
struct ImportStaged {
  std::uint32_t index;
  SharedChunk chunk;
};
struct ImportHeld {  // from the local store
  std::uint32_t index;
  ChunkKey key;
};
struct AwaitChunks {};  // nothing to do until something arrives or an import ends
struct ImportFailed {   // final
  Error error;
};
struct ImportComplete {  // final
  std::uint32_t token_count;
};
using ReceiveAction =
    std::variant<ImportStaged, ImportHeld, AwaitChunks, ImportFailed, ImportComplete>;

struct ReceiverStatistics {
  std::uint32_t accepted = 0, imported = 0;
  std::array<std::uint32_t, refusal_count> refused{};
  std::uint64_t staged_bytes = 0, staged_bytes_peak = 0;
  std::uint32_t refused_for(Refusal r) const { return refused[static_cast<std::size_t>(r)]; }
};

class ChunkReceiver {
 public:
  // invalid_argument when the announcement is not a chain: no keys, unequal counts, ranges that do
  // not join, more than transfer_chunks_max, a key twice. resource_exhausted: see StagingRoom::open.
  static Result<ChunkReceiver> create(AnnouncedChain chain, ReceiverLimits limits);

  // The chunk is in the local store, from earlier or by another way.
  void on_held(const ChunkKey& key);
  // It was, and is no more (evicted, damaged): missing again unless it is imported. A sender that
  // is already done does not learn of it: the driver asks for another transfer or computes.
  void on_lost(const ChunkKey& key);

  // The answer to the sender's query, in chain order.
  std::vector<ChunkKey> missing() const;

  // May a body of this name and length come? Reserves its bytes until on_body() or on_body_cut().
  std::expected<Reservation, Refusal> admit(const ChunkKey& key, std::uint64_t chunk_bytes);
  // Verifies and stages; the reservation is spent either way.
  std::expected<std::uint32_t, Refusal> on_body(Reservation reservation, SharedChunk chunk);
  void on_body_cut(Reservation reservation);

  // One import at a time: after ImportStaged or ImportHeld the answer is AwaitChunks until
  // on_imported() or on_import_failed().
  ReceiveAction next();
  void on_imported(std::uint32_t index);
  void on_import_failed(std::uint32_t index, Error error);
  void cancel();

  // Tokens committed so far, to the last imported chunk that is whole: where a local prefill goes on.
  std::uint32_t committed_tokens() const;
  const ReceiverStatistics& statistics() const { return statistics_; }

 private:
  enum class State : std::uint8_t { missing, staged, held, imported };
  struct Item {
    State state = State::missing;
    bool is_partial = false;
    SharedChunk chunk;  // while staged; shared with the store
  };
  struct Admitted {
    std::uint32_t index;
    std::uint64_t bytes;
  };

  ChunkReceiver(AnnouncedChain chain, ReceiverLimits limits, StagingRoom::Share share);
  std::unexpected<Refusal> refuse(Refusal refusal);
  std::optional<Refusal> find_refusal(std::optional<std::uint32_t> index, std::uint64_t bytes) const;
  std::optional<std::uint32_t> index_of(const ChunkKey& key) const;
  std::optional<Refusal> find_body_refusal(const Admitted& admitted, const Chunk& chunk) const;
  void skip_present();
  void release(std::uint64_t bytes);
  void end(Error error);
  AnnouncedChain chain_;
  ReceiverLimits limits_;
  StagingRoom::Share share_;
  std::vector<Item> items_;
  std::map<ChunkKey, std::uint32_t> index_;
  std::map<std::uint64_t, Admitted> admitted_;
  std::uint64_t last_reservation_ = 0;
  std::uint32_t first_missing_ = 0;   // everything before it is staged, held or imported
  std::uint32_t import_index_ = 0;    // everything before it is imported
  bool is_importing_ = false;
  std::optional<Error> error_;
  ReceiverStatistics statistics_;
};

}  // namespace hearth::kv
