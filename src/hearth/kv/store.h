#pragma once
// The chunk store of one machine: a memory tier above a disk tier, each with a budget and least
// recently used eviction. What it hands out is whole and verified, or absent.
//
//  - put() costs no copy and no disk time: a thread of the store ("kv-write") writes behind.
//  - One file a chunk, `ab/ab…cd.kv`, written aside and renamed. Losing the tail of what was
//    written when the power fails is accepted: chunks can be computed again. A torn or damaged
//    file is found when it is read, removed, counted and reported as absent.
//  - Eviction takes the least recently used chunk that no stored chunk continues, so a chain goes
//    from its end and its beginning stays usable. (A memory copy of what is on disk goes in plain
//    order of use.) A chunk never displaces the one before it, and displaces nothing when the one
//    before it is absent: a chain that is larger than the budget keeps its beginning.
//  - What waits for the disk is not evicted. When memory is full of it, put() refuses: flush() and
//    try again, or do without.
//  - A pinned chunk's last copy is never evicted. Pins are on keys, survive restarts, and may be
//    set before the chunk arrives.
//  - Budgets count what the store holds; a chunk that a caller holds after its eviction is his.
//
// Thread-safe. Owned by who answers (LocalRun, LocalModel, SealedStore) or prefills; one writer a directory
// (a lock file says who), any number of read-only openers.

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/file.h"
#include "hearth/base/stop.h"
#include "hearth/kv/chunk.h"
#include "hearth/kv/chunk_cipher.h"
#include "hearth/kv/store_types.h"

namespace hearth::kv {

inline constexpr std::size_t pin_owner_bytes_max = 64;
inline constexpr std::size_t pinned_keys_max = 1'000'000;
inline constexpr std::size_t pin_owners_per_key_max = 64;
// One prefix search hashes at most this much; beyond, the best prefix so far is the answer.
inline constexpr std::uint64_t prefix_hash_bytes_max = 64ull << 20;

struct StoreOptions {
  std::filesystem::path directory;       // empty: memory only
  std::uint64_t memory_bytes_max = 0;
  std::uint64_t disk_bytes_max = 0;      // 0: memory only
  std::size_t write_queue_chunks_max = 4'096;  // beyond: the chunk stays in memory only, counted
  bool is_read_only = false;             // no lock, no writing, no removing
  // With it every file is sealed, pins too, and nothing plain is ever in the directory.
  std::shared_ptr<const ChunkCipher> cipher = nullptr;
};

enum class PutOutcome : std::uint8_t { stored, already_present };

// Where the bytes are for an import. A file may be gone before it is opened, and is verified by whoever
// reads it: map_chunk_file() in kv/chunk_file.h says not_found or corrupt. get() then finds out the same.
struct ImportFile {
  std::filesystem::path path;
};
using ImportSource = std::variant<SharedChunk, ImportFile>;

class ChunkStore {
 public:
  // Scans the directory: headers only, bounded reads; removes left-over temporary files.
  // unavailable when another process writes there (the message names it). `files` and `clock`
  // must outlive the store.
  static Result<std::unique_ptr<ChunkStore>> open(StoreOptions options, FileSystem& files,
                                                  const Clock& clock);
  // Gives up writes that are still queued; flush() first to keep them.
  ~ChunkStore();
  ChunkStore(const ChunkStore&) = delete;
  ChunkStore& operator=(const ChunkStore&) = delete;

  // Idempotent; the first writer of a key wins, whatever bytes come later, but for a whole chunk that
  // takes the place of a partial one. The caller has verified
  // the payload (or made it). invalid_argument for an inconsistent header, resource_exhausted when
  // pinned chunks or its own size leave no room, permission when read-only.
  Result<PutOutcome> put(SharedChunk chunk);
  // From memory, or read, verified and kept in memory. not_found when absent or damaged.
  Result<SharedChunk> get(const ChunkKey& key);
  // From a sealed store always the chunk itself: nobody else can read its files.
  Result<ImportSource> open_for_import(const ChunkKey& key);

  bool contains(const ChunkKey& key) const;
  bool contains_whole(const ChunkKey& key) const;
  std::optional<TokenRange> range_of(const ChunkKey& key) const;
  // In the order asked.
  std::vector<ChunkKey> missing(std::span<const ChunkKey> keys) const;
  // The longest run of stored chunks, of any sizes, that covers a prefix of `tokens` and from whose end
  // computing can go on: partial chunks count only where a whole one follows.
  StoredPrefix longest_prefix(const LayoutDigest& layout, std::span<const Token> tokens);

  // All or none; on failure the pins are as before, in memory and on disk. resource_exhausted when others have pinned
  // more than half of what the store may hold.
  Result<> pin(std::span<const ChunkKey> keys, std::string_view owner);
  Result<> unpin(std::span<const ChunkKey> keys, std::string_view owner);
  Result<> unpin_all(std::string_view owner);
  std::vector<ChunkKey> pinned(std::string_view owner) const;

  // Who made or read these chunks; they may be evicted all the same. Best effort: of more users than
  // pin_owners_per_key_max a chunk knows no further.
  void use(std::span<const ChunkKey> keys, std::string_view owner);
  // Removes what nobody but this owner has used, unless it is pinned or somebody's chunk continues it. Waits
  // for queued writes until the deadline.
  Result<ForgetReport> forget(std::string_view owner, Deadline deadline);

  // Waits until every chunk put before this call is on disk or has failed to get there.
  Result<> flush(Deadline deadline);

  StoreStatistics statistics() const;
  std::vector<ChunkInfo> list() const;  // chains together, in order of position
  // Reads every file; damaged ones are removed. Long: other calls go on meanwhile.
  VerifyReport verify(const StopToken& stop);
  // Removes what cannot be used; needs a writable store (permission).
  Result<GcReport> gc();

 private:
  struct Implementation;
  explicit ChunkStore(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace hearth::kv
