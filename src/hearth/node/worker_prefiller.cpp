#include "hearth/node/worker_prefiller.h"

#include "hearth/base/log.h"
#include "hearth/node/stored_import.h"

namespace hearth::node {
namespace {

// Between two chunks, which may come from a slow machine; a worker dies with us, and its leases too.
constexpr Duration lease_keep = std::chrono::hours(1);
constexpr Duration call_deadline = std::chrono::seconds(120);
constexpr Duration head_deadline = std::chrono::minutes(10);

}  // namespace

Result<std::unique_ptr<ChunkSource>> WorkerPrefiller::open(const PrefillOrder& order,
                                                           const StopToken& stop) {
  const auto adapter = info_.adapter_of(order.layout);
  if (!adapter) return nullptr;  // it has not what that KV is computed with
  const engine::LeaseId lease = TRY(fill_lease(order, *adapter, stop));
  return worker_.prefill({.prompt = {order.target.begin(), order.target.end()}, .lease = lease,
                          .export_from = order.from(), .adapter = *adapter},
                         order.parent(), order.layout, Deadline::after(head_deadline), stop);
}

// Stored pieces that cannot be used are computed instead.
Result<engine::LeaseId> WorkerPrefiller::fill_lease(const PrefillOrder& order, std::string_view adapter,
                                                    const StopToken& stop) {
  const auto opened =
      TRY(worker_.open_lease(order.target, lease_keep, Deadline::after(call_deadline), stop, adapter));
  if (store_ == nullptr) return opened.lease;
  // What an append-only sequence holds behind the first piece that is wanted could not be exported.
  const bool is_append_only = info_.limits.is_append_only;
  const auto prompt = is_append_only ? order.target.first(order.from()) : order.target;
  const std::uint32_t piece_end = (order.from() / info_.chunk_tokens + 1) * info_.chunk_tokens;
  const bool is_too_far = is_append_only && opened.held_tokens > piece_end;
  const kv::StoredPrefix stored = store_->longest_prefix(order.layout, prompt);
  const std::span<const kv::PrefixChunk> all(stored.chunks);
  const ImportPlan plan = plan_import(all, is_too_far ? 0 : opened.held_tokens, is_append_only,
                                      /*restart_tokens_min=*/info_.chunk_tokens);
  const auto wanted = all.subspan(plan.first);
  if (wanted.empty()) return opened.lease;
  const StoredImport imported =
      import_pieces(worker_, opened.lease, *store_, wanted, call_deadline, stop);
  if (imported.error) log_warning("a stored chunk is computed again: " + imported.error->message);
  return opened.lease;
}

}  // namespace hearth::node
