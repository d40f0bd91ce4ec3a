#pragma once
// What a comparison says: divergence over all, by class of text and by kind of token, where the two
// first part, and whether the candidate is equivalent by measurement. Pure.
//
// The gate works one way. A small divergence everywhere leaves little room for a difference; a large
// one says nothing about which model is better, and never ranks two candidates.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/eval/kl/record.h"
#include "hearth/eval/kl/scored_text.h"
#include "hearth/eval/statistics/divergence.h"

namespace hearth::eval {

// Planning values; each can be set. They are read against the floor: the reference compared with
// itself in batches of another size.
struct KlThresholds {
  double mean_kl = 0.01;            // nats; below it in every judged row,
  double same_top = 0.97;           // and above it
  double control_allowance = 0.01;  // control tokens: mean below control_floors * floor + this
  double control_floors = 3;
  std::uint32_t judged_positions = 2'000;  // a row with fewer is shown and not judged
};

struct KlRow {
  std::string text_class;         // empty: all
  std::optional<TokenKind> kind;  // nothing: all
  DivergenceSummary summary;
  bool judged = false;
  std::string fault;  // why it does not pass; empty: it does, or it is not judged
};

struct FirstDivergence {
  std::size_t texts = 0;
  std::size_t parted = 0;               // texts in which some likeliest token differed
  std::optional<std::uint32_t> median;  // tokens until then, texts without one counted as longer
};

enum class KlVerdict { equivalent, not_shown, too_little_text };
std::string_view kl_verdict_name(KlVerdict verdict);  // "equivalent-by-measurement", ...

struct KlReport {
  ModelMark base, candidate;  // set by whoever read the models
  KlVerdict verdict = KlVerdict::too_little_text;
  std::string sentence;
  DivergenceSummary all;
  std::vector<KlRow> classes, kinds,
      cells;  // cells: kind within class, which is what the gate judges
  FirstDivergence first_divergence;
  double floor_mean = 0;  // of control tokens where the floor was measured, else 0
  bool floor_measured = false;
  KlThresholds thresholds;
};

// The rows of a comparison, text by text, in the order of the plan.
using TextDivergences = std::vector<std::vector<PositionDivergence>>;

// `floor`: the same positions of the reference with itself. invalid_argument when rows and plan differ.
Result<KlReport> report_kl(std::span<const ScoredText> texts, std::span<const ScoreBlock> plan,
                           const TextDivergences& rows, const TextDivergences* floor,
                           const KlThresholds& thresholds);

Json kl_json(const KlReport& report);

}  // namespace hearth::eval
