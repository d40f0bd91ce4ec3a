#include <algorithm>
#include <cstring>
#include <numeric>

#include "hearth/model/state_layout.h"
#include "hearth/model/state_recurrent.h"

namespace hearth::model {
namespace {

using Order = std::vector<std::uint32_t>;  // where the cell of each place is now; empty: right there

// Items of `item_bytes` each.
void permute(std::span<std::byte> items, std::uint64_t item_bytes, const Order& order) {
  const Bytes before(items.begin(), items.end());
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::memcpy(items.data() + i * item_bytes, before.data() + order[i] * item_bytes, item_bytes);
  }
}

Order order_of(const std::vector<std::uint32_t>& positions) {
  if (std::ranges::is_sorted(positions)) return {};
  Order order(positions.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::stable_sort(order, {}, [&](std::uint32_t cell) { return positions[cell]; });
  return order;
}

// Walks over one cache and moves what is out of order.
class CacheOrder {
 public:
  CacheOrder(const CacheLayout& cache, StateWalk& walk, std::span<std::byte> blob)
      : cache_(cache), walk_(walk), blob_(blob) {}

  Result<> run() {
    TRY(walk_.expect_word("stream count", 1));
    const std::uint32_t cells = TRY(walk_.word("cell count"));
    if (cells == 0) return {};
    const std::uint64_t cell_bytes = 12 + cache_.cell_extension_bytes;
    std::vector<std::uint32_t> positions;
    const std::size_t begin = walk_.position();
    for (std::uint32_t i = 0; i < cells; ++i) {
      positions.push_back(TRY(walk_.word("cell position")));
      TRY(walk_.skip(cell_bytes - 4, "cell"));
    }
    if (!cache_.v_transposed) order_ = order_of(positions);
    reorder(begin, cell_bytes);
    TRY(walk_.skip(16, "cache header"));
    for (const StateLayer& layer : cache_.layers) TRY(rows("K rows", layer.k_row_bytes, cells));
    for (const StateLayer& layer : cache_.layers) {
      if (layer.v_row_bytes > 0) TRY(rows("V rows", layer.v_row_bytes, cells));
    }
    return {};
  }

 private:
  Result<> rows(std::string_view what, std::uint64_t row_bytes, std::uint32_t cells) {
    TRY(walk_.skip(12, "row header"));
    const std::size_t begin = walk_.position();
    TRY(walk_.skip(row_bytes * cells, what));
    reorder(begin, row_bytes);
    return {};
  }
  void reorder(std::size_t begin, std::uint64_t item_bytes) {
    if (order_.empty()) return;
    permute(blob_.subspan(begin, order_.size() * item_bytes), item_bytes, order_);
  }

  const CacheLayout& cache_;
  StateWalk& walk_;
  const std::span<std::byte> blob_;
  Order order_;
};

}  // namespace

Result<> order_state(const StateLayout& layout, std::span<std::byte> blob) {
  if (!is_sane(layout)) return fail(Code::invalid_argument, "state layout outside the limits");
  StateWalk walk(blob);
  TRY(walk.expect_word("magic", state_magic));
  TRY(walk.skip(4, "source sequence id"));
  for (const CacheLayout& cache : layout.caches) TRY(CacheOrder(cache, walk, blob).run());
  if (layout.recurrent) TRY(skip_recurrent(walk, *layout.recurrent));
  return walk.expect_end();
}

}  // namespace hearth::model
