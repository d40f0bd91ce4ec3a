// The questions about whole chains that a StoreTable answers.
#include <algorithm>
#include <set>
#include <unordered_set>

#include "hearth/kv/store.h"
#include "hearth/kv/store_table.h"

namespace hearth::kv {
namespace {

struct Step {
  ChunkKey key;
  std::uint32_t end;
  std::size_t previous;  // index among the steps; the root is its own
};

}  // namespace

StoredPrefix StoreTable::longest_prefix(const LayoutDigest& layout,
                                        std::span<const Token> tokens) const {
  // Several chunkings of one prompt may be stored (a tail of an earlier turn beside the full chunk
  // of a later one), so all chains that match are followed. Each step is a stored chunk.
  std::vector<Step> steps = {{model::root_key(layout), 0, 0}};
  std::size_t best = 0;
  std::uint64_t hashed_bytes = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step step = steps[i];
    const Children* children = children_of(step.key);
    if (children == nullptr) continue;
    std::set<std::uint32_t, std::greater<>> lengths;
    for (const Child& child : children->all) lengths.insert(child.token_count);
    for (const std::uint32_t length : lengths) {
      if (length > tokens.size() - step.end) continue;
      hashed_bytes += length * sizeof(Token);
      if (hashed_bytes > prefix_hash_bytes_max) break;
      const ChunkKey key = model::next_key(step.key, tokens.subspan(step.end, length));
      const TableEntry* entry = find(key);
      if (entry == nullptr) continue;
      steps.push_back({key, step.end + length, i});
      if (steps.back().end > steps[best].end && !entry->is_partial) best = steps.size() - 1;
    }
  }
  StoredPrefix out;
  for (std::size_t i = best; i != 0; i = steps[i].previous) {
    const TableEntry& entry = *find(steps[i].key);
    out.chunks.push_back(
        {entry.key, entry.range, entry.chunk_bytes, entry.tier(), entry.is_partial});
  }
  std::reverse(out.chunks.begin(), out.chunks.end());
  return out;
}

std::vector<const TableEntry*> StoreTable::in_chain_order() const {
  std::vector<const TableEntry*> stack;
  for (const auto& [key, entry] : entries_) {
    if (!entries_.contains(entry.parent)) stack.push_back(&entry);
  }
  const auto later_first = [](const TableEntry* a, const TableEntry* b) {
    return std::tie(a->layout, a->range, a->key) > std::tie(b->layout, b->range, b->key);
  };
  std::sort(stack.begin(), stack.end(), later_first);
  std::vector<const TableEntry*> out;
  while (!stack.empty()) {
    const TableEntry* entry = stack.back();
    stack.pop_back();
    out.push_back(entry);
    const Children* children = children_of(entry->key);
    if (children == nullptr) continue;
    const std::size_t first = stack.size();
    for (const Child& child : children->all) stack.push_back(find(child.key));
    std::sort(stack.begin() + static_cast<std::ptrdiff_t>(first), stack.end(), later_first);
  }
  return out;
}

std::vector<ChunkKey> StoreTable::unreachable() const {
  std::unordered_set<ChunkKey> reachable;
  std::vector<ChunkKey> out;
  for (const TableEntry* entry : in_chain_order()) {
    const bool is_reachable =
        entry->range.begin == 0
            ? entry->parent == model::root_key(entry->layout)
            : reachable.contains(entry->parent);
    if (is_reachable) {
      reachable.insert(entry->key);
    } else {
      out.push_back(entry->key);
    }
  }
  return out;
}

std::vector<const TableEntry*> StoreTable::in_order_of_use() const {
  std::vector<const TableEntry*> out;
  for (const auto& [key, entry] : entries_) out.push_back(&entry);
  std::sort(out.begin(), out.end(), [](const TableEntry* a, const TableEntry* b) {
    return a->recency < b->recency;
  });
  return out;
}

}  // namespace hearth::kv
