#pragma once
// Which cells of the KV cache each sequence holds. Sequences that share a prefix hold the same
// cells; a cell is free again when the last of them lets go. So the sum of their lengths is not
// what is used.

#include <cstdint>
#include <span>
#include <vector>

namespace hearth::engine {

// Cells at positions [begin, end), computed by one sequence. Other sequences may hold the same run,
// longer or shorter: a position of a run is one cell, whoever holds it.
struct CellRun {
  std::uint64_t id = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};
using CellRuns = std::vector<CellRun>;  // of one sequence, without gaps from position 0 on

// The part below `length`.
CellRuns first_cells(CellRuns runs, std::uint32_t length);
// Each cell once, however many of the runs hold it.
std::uint64_t count_cells(CellRuns runs);

class CellLedger {
 public:
  explicit CellLedger(std::size_t sequences) : runs_(sequences) {}

  const CellRuns& runs(std::size_t sequence) const { return runs_[sequence]; }
  // New cells behind those it holds.
  void append(std::size_t sequence, std::uint32_t count);
  void truncate(std::size_t sequence, std::uint32_t length);
  // `to` holds what `from` holds below `length`, and nothing else.
  void share(std::size_t from, std::size_t to, std::uint32_t length);

 private:
  bool is_last_run_open(std::size_t sequence) const;

  std::vector<CellRuns> runs_;
  std::uint64_t next_id_ = 1;
};

}  // namespace hearth::engine
