#include "hearth/engine/cell_ledger.h"

#include <algorithm>
#include <tuple>

namespace hearth::engine {

CellRuns first_cells(CellRuns runs, std::uint32_t length) {
  while (!runs.empty() && runs.back().begin >= length) runs.pop_back();
  if (!runs.empty()) runs.back().end = std::min(runs.back().end, length);
  return runs;
}

std::uint64_t count_cells(CellRuns runs) {
  // Those of one id begin alike, so the longest of them holds the cells of all.
  std::ranges::sort(runs, {}, [](const CellRun& run) { return std::tuple(run.id, run.end); });
  std::uint64_t cells = 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const bool is_longest = i + 1 == runs.size() || runs[i + 1].id != runs[i].id;
    if (is_longest) cells += runs[i].end - runs[i].begin;
  }
  return cells;
}

void CellLedger::append(std::size_t sequence, std::uint32_t count) {
  if (count == 0) return;
  CellRuns& runs = runs_[sequence];
  if (!is_last_run_open(sequence)) {
    const std::uint32_t begin = runs.empty() ? 0 : runs.back().end;
    runs.push_back({next_id_++, begin, begin});
  }
  runs.back().end += count;
}

// Nobody holds a cell of the run behind its end here: that cell would not be the new one.
bool CellLedger::is_last_run_open(std::size_t sequence) const {
  if (runs_[sequence].empty()) return false;
  const CellRun& last = runs_[sequence].back();
  return std::ranges::none_of(runs_, [&](const CellRuns& runs) {
    return std::ranges::any_of(
        runs, [&](const CellRun& run) { return run.id == last.id && run.end > last.end; });
  });
}

void CellLedger::truncate(std::size_t sequence, std::uint32_t length) {
  runs_[sequence] = first_cells(std::move(runs_[sequence]), length);
}

void CellLedger::share(std::size_t from, std::size_t to, std::uint32_t length) {
  runs_[to] = first_cells(runs_[from], length);
}

}  // namespace hearth::engine
