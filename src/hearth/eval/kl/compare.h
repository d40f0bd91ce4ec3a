#pragma once
// Runs a model over the texts of a record, block by block: first the reference, whose distributions
// are kept, then a candidate, which is compared with them. Where a file has blocks already, work goes
// on after them.
//
// A thin driver: what a model foretells is handed in as a LogitsSource. One thread.

#include <functional>

#include "hearth/base/stop.h"
#include "hearth/eval/kl/kl_report.h"
#include "hearth/eval/kl/record.h"

namespace hearth::eval {

// Gives one row of logits to `row` for each of tokens[from] .. tokens.back(), in order.
using LogitsRow = std::function<Result<>(std::span<const float> logits)>;
using LogitsSource = std::function<Result<>(std::span<const Token> tokens, std::uint32_t from,
                                            const LogitsRow& row)>;
using KlProgress = std::function<void(std::uint64_t positions_done, std::uint64_t positions)>;

std::uint64_t positions_of(std::span<const ScoreBlock> plan);

// `record` is resumed by this. cancelled when `stop` fires between two blocks.
Result<> record_reference(RecordFile& record, const LogitsSource& source,
                          const KlProgress& progress, const StopToken& stop);
// The reference must be complete and resumed; `comparison` is resumed by this.
Result<> compare_candidate(const RecordFile& reference, RecordFile& comparison,
                           const LogitsSource& source, const KlProgress& progress,
                           const StopToken& stop);

// All rows of a complete comparison, text by text. unavailable when blocks are missing.
Result<TextDivergences> read_divergences(const RecordHeader& reference,
                                         const RecordFile& comparison);

}  // namespace hearth::eval
