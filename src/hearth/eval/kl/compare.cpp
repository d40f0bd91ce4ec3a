#include "hearth/eval/kl/compare.h"

#include <fmt/format.h>

namespace hearth::eval {
namespace {

std::span<const Token> tokens_of(const RecordHeader& header, const ScoreBlock& block) {
  return std::span(header.content[block.text].tokens).subspan(block.begin, block.end - block.begin);
}

// One row for each scored token of the block, or an error.
Result<> score_block(const LogitsSource& source, const RecordHeader& header,
                     const ScoreBlock& block,
                     const std::function<Result<>(std::size_t row, std::span<const float> logits,
                                                  std::uint32_t target)>& use) {
  const std::span<const Token> tokens = tokens_of(header, block);
  const std::uint32_t from = block.from - block.begin;
  std::size_t row = 0;
  TRY(source(tokens, from, [&](std::span<const float> logits) -> Result<> {
    if (logits.size() != header.vocabulary) {
      return fail(Code::invalid_argument,
                  fmt::format("the model has {} tokens, the record {}: their tokenizers differ",
                              logits.size(), header.vocabulary));
    }
    if (from + row >= tokens.size()) {
      return fail(Code::internal, "the model scored more tokens than it was asked for");
    }
    TRY(use(row, logits, static_cast<std::uint32_t>(tokens[from + row])));
    ++row;
    return {};
  }));
  if (row == block.positions()) return {};
  return fail(Code::unavailable,
              fmt::format("the model scored {} of {} tokens", row, block.positions()));
}

// Blocks that are missing, one after another.
Result<> run_blocks(RecordFile& file, std::span<const ScoreBlock> plan, const KlProgress& progress,
                    const StopToken& stop,
                    const std::function<Result<Bytes>(std::size_t index)>& make) {
  TRY(file.resume(plan));
  const std::uint64_t positions = positions_of(plan);
  std::uint64_t done = positions_of(plan.first(file.blocks()));
  progress(done, positions);
  for (std::size_t i = file.blocks(); i < plan.size(); ++i) {
    if (stop.stop_requested()) {
      return fail(Code::cancelled, "stopped; the same command goes on from here");
    }
    const Bytes payload = TRY(make(i));
    TRY(file.append(payload));
    done += plan[i].positions();
    progress(done, positions);
  }
  return {};
}

}  // namespace

std::uint64_t positions_of(std::span<const ScoreBlock> plan) {
  std::uint64_t out = 0;
  for (const ScoreBlock& block : plan) out += block.positions();
  return out;
}

Result<> record_reference(RecordFile& record, const LogitsSource& source,
                          const KlProgress& progress, const StopToken& stop) {
  const std::vector<ScoreBlock> plan = record.header().plan();
  return run_blocks(record, plan, progress, stop, [&](std::size_t i) -> Result<Bytes> {
    std::vector<TopDistribution> rows;
    TRY(score_block(
        source, record.header(), plan[i],
        [&](std::size_t, std::span<const float> logits, std::uint32_t target) -> Result<> {
          rows.push_back(TRY(keep_top(logits, target)));
          return {};
        }));
    return encode_rows(rows);
  });
}

Result<> compare_candidate(const RecordFile& reference, RecordFile& comparison,
                           const LogitsSource& source, const KlProgress& progress,
                           const StopToken& stop) {
  const RecordHeader& header = reference.header();
  const std::vector<ScoreBlock> plan = header.plan();
  return run_blocks(comparison, plan, progress, stop, [&](std::size_t i) -> Result<Bytes> {
    const Bytes bytes = TRY(reference.read(i));
    const auto kept = TRY(parse_reference_rows(bytes, header.top, header.vocabulary));
    std::vector<PositionDivergence> rows;
    TRY(score_block(
        source, header, plan[i],
        [&](std::size_t row, std::span<const float> logits, std::uint32_t target) -> Result<> {
          rows.push_back(TRY(diverge(kept[row], logits, target)));
          return {};
        }));
    return encode_rows(rows);
  });
}

Result<TextDivergences> read_divergences(const RecordHeader& reference,
                                         const RecordFile& comparison) {
  const std::vector<ScoreBlock> plan = reference.plan();
  if (comparison.blocks() != plan.size()) {
    return fail(Code::unavailable,
                fmt::format("{} of {} blocks are compared", comparison.blocks(), plan.size()));
  }
  TextDivergences out(reference.content.size());
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const Bytes bytes = TRY(comparison.read(i));
    const auto rows = TRY(parse_comparison_rows(bytes));
    auto& text = out[plan[i].text];
    text.insert(text.end(), rows.begin(), rows.end());
  }
  return out;
}

}  // namespace hearth::eval
