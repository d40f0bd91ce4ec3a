#include "hearth/kv/store_types.h"

namespace hearth::kv {

std::string_view tier_name(Tier tier) {
  switch (tier) {
    case Tier::memory: return "memory";
    case Tier::disk: return "disk";
    case Tier::both: return "memory and disk";
  }
  return "unknown";
}

Json to_json(const ChunkInfo& info) {
  Json owners = Json::array();
  for (const std::string& owner : info.pin_owners) owners.push(owner);
  return Json::object({{"key", info.key.hex()},
                       {"parent", info.parent.hex()},
                       {"layout", info.layout.hex()},
                       {"token_begin", info.range.begin},
                       {"token_end", info.range.end},
                       {"chunk_bytes", info.chunk_bytes},
                       {"tier", tier_name(info.tier)},
                       {"is_write_pending", info.is_write_pending},
                       {"idle_s", info.idle_s},
                       {"pin_owners", std::move(owners)}});
}

Json to_json(const StoreStatistics& s) {
  return Json::object({{"memory_chunks", s.memory_chunks},
                       {"memory_bytes", s.memory_bytes},
                       {"disk_chunks", s.disk_chunks},
                       {"disk_bytes", s.disk_bytes},
                       {"pinned_chunks", s.pinned_chunks},
                       {"pinned_bytes", s.pinned_bytes},
                       {"pending_writes", s.pending_writes},
                       {"is_disk_full", s.is_disk_full},
                       {"disk_error", s.disk_error},
                       {"puts", s.puts},
                       {"puts_present", s.puts_present},
                       {"puts_different", s.puts_different},
                       {"puts_refused", s.puts_refused},
                       {"memory_hits", s.memory_hits},
                       {"disk_hits", s.disk_hits},
                       {"misses", s.misses},
                       {"memory_evictions", s.memory_evictions},
                       {"disk_evictions", s.disk_evictions},
                       {"disk_writes", s.disk_writes},
                       {"disk_write_failures", s.disk_write_failures},
                       {"disk_writes_dropped", s.disk_writes_dropped},
                       {"disk_full_count", s.disk_full_count},
                       {"remove_failures", s.remove_failures},
                       {"damaged_count", s.damaged_count},
                       {"temporaries_removed", s.temporaries_removed},
                       {"foreign_files", s.foreign_files},
                       {"read_bytes", s.read_bytes},
                       {"written_bytes", s.written_bytes},
                       {"read_s", s.read_s},
                       {"write_s", s.write_s}});
}

Json to_json(const VerifyReport& report) {
  Json damaged = Json::array();
  for (const DamagedFile& file : report.damaged) {
    damaged.push(Json::object({{"path", file.path.string()}, {"reason", file.reason}}));
  }
  return Json::object({{"files", report.files},
                       {"bytes", report.bytes},
                       {"removed", report.removed},
                       {"damaged", std::move(damaged)},
                       {"is_complete", report.is_complete}});
}

Json to_json(const GcReport& report) {
  return Json::object({{"temporaries_removed", report.temporaries_removed},
                       {"unreachable_removed", report.unreachable_removed},
                       {"evicted", report.evicted},
                       {"damaged_removed", report.damaged_removed},
                       {"bytes_freed", report.bytes_freed},
                       {"pins_without_chunk", report.pins_without_chunk}});
}

Json to_json(const StoredPrefix& prefix) {
  Json chunks = Json::array();
  for (const PrefixChunk& chunk : prefix.chunks) {
    chunks.push(Json::object({{"key", chunk.key.hex()},
                              {"token_begin", chunk.range.begin},
                              {"token_end", chunk.range.end},
                              {"chunk_bytes", chunk.chunk_bytes},
                              {"tier", tier_name(chunk.tier)}}));
  }
  return Json::object({{"token_count", prefix.token_count()}, {"chunks", std::move(chunks)}});
}

}  // namespace hearth::kv
