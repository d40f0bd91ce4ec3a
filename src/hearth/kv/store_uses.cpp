// Who used which chunk, and forgetting all of somebody's.
#include <algorithm>
#include <unordered_set>

#include "hearth/base/log.h"
#include "hearth/kv/store_implementation.h"

namespace hearth::kv {
namespace {

// Of chunks that are gone nobody asks again.
void prune(PinSet& uses, const StoreTable& table) {
  for (const ChunkKey& key : uses.keys()) {
    if (table.find(key) != nullptr) continue;
    for (const std::string& owner : uses.owners(key)) uses.remove(std::span(&key, 1), owner);
  }
}

constexpr int forget_tries_max = 8;  // each waits for what was on its way to the disk

struct Doomed {
  ChunkKey key;
  std::uint64_t bytes = 0;
};

// Children before parents, so that a chain goes from its end, as far as nobody else has a part of it. Nothing: some of
// it is on its way to the disk, where it would stay.
std::optional<std::vector<Doomed>> only_of(std::string_view owner, const StoreTable& table, const PinSet& uses,
                                           ForgetReport& report) {
  std::vector<Doomed> out;
  std::unordered_set<ChunkKey> continued;
  const auto entries = table.in_chain_order();
  for (auto it = entries.rbegin(); it != entries.rend(); ++it) {
    const TableEntry& entry = **it;
    const auto owners = uses.owners(entry.key);
    const bool is_own = std::ranges::find(owners, owner) != owners.end();
    const bool is_pinned = table.pins().is_pinned(entry.key);
    if (is_own && entry.is_write_pending) return {};
    if (is_own && owners.size() == 1 && !is_pinned && !continued.contains(entry.key)) {
      out.push_back({entry.key, entry.chunk_bytes});
      continue;
    }
    continued.insert(entry.parent);
    if (is_own) ++(is_pinned ? report.pinned : report.shared);
  }
  return out;
}

}  // namespace

void ChunkStore::Implementation::load_uses() {
  const auto text = disk.read_uses();
  if (!text) return;
  auto known = PinSet::parse(*text);
  if (known) uses = *std::move(known);
  else log_warning("who used which KV is not known any more: " + known.error().message);
}

Result<> ChunkStore::Implementation::change_uses(PinSet now) {
  if (writes_disk()) TRY(disk.write_uses(files, now.to_text()));
  const std::lock_guard hold(mutex);
  uses = std::move(now);
  return {};
}

void ChunkStore::use(std::span<const ChunkKey> keys, std::string_view owner) {
  Implementation& in = *implementation_;
  if (in.options.is_read_only) return;
  const std::lock_guard hold_directory(in.directory_mutex);
  PinSet uses;
  bool is_news = false;
  {
    const std::lock_guard hold(in.mutex);
    uses = in.uses;
    for (const ChunkKey& key : keys) {
      if (in.table.find(key) == nullptr) continue;
      const auto owners = uses.owners(key);
      const bool is_known = std::ranges::find(owners, owner) != owners.end();
      if (is_known || owners.size() >= pin_owners_per_key_max || uses.size() >= pinned_keys_max) continue;
      if (uses.add(std::span(&key, 1), owner)) is_news = true;
    }
    if (is_news) prune(uses, in.table);
  }
  if (!is_news) return;
  if (const auto kept = in.change_uses(std::move(uses)); !kept) log_warning("who used KV is not kept: " + kept.error().message);
}

Result<ForgetReport> ChunkStore::forget(std::string_view owner, Deadline deadline) {
  Implementation& in = *implementation_;
  if (in.options.is_read_only) return fail(Code::permission, "the chunk store is open read-only");
  for (int i = 0; i < forget_tries_max; ++i) {
    TRY(flush(deadline));
    if (const auto report = TRY(in.forget_written(owner))) return *report;
  }
  return fail(Code::timed_out, "KV of it is made all the while; ask again when its answers have ended");
}

Result<std::optional<ForgetReport>> ChunkStore::Implementation::forget_written(std::string_view owner) {
  const std::lock_guard hold_directory(directory_mutex);
  ForgetReport report;
  PinSet now;
  std::optional<std::vector<Doomed>> doomed;
  {
    const std::lock_guard hold(mutex);
    now = uses;
    doomed = only_of(owner, table, now, report);
  }
  if (!doomed) return std::nullopt;
  for (const Doomed& chunk : *doomed) {
    // Also where none is known of: one may be left of a chunk that was replaced.
    if (writes_disk() && !remove_counted(disk.path_of(chunk.key))) {
      return fail(Code::unavailable, "a file of the chunk store could not be removed: " + disk.path_of(chunk.key).string());
    }
    const std::lock_guard hold(mutex);
    table.drop_memory(chunk.key);
    table.drop_disk(chunk.key);
    ++report.dropped;
    report.bytes += chunk.bytes;
  }
  const auto keys = now.keys_of(owner);
  now.remove(keys, owner);
  TRY(change_uses(std::move(now)));
  return report;
}

}  // namespace hearth::kv
