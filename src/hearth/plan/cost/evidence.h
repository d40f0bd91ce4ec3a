#pragma once
// From a published (or own) measurement to what calibration and accuracy need of it: is it usable,
// by which rule not, and how far it lies from the prior.
//
// Rules are about kinds of rows, never about single ones, and none looks at a residual.
// docs/cost_model.md, section 3, lists them with their reasons.

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "hearth/plan/catalog/catalog.h"
#include "hearth/plan/cost/calibration.h"
#include "hearth/plan/cost/priors.h"

namespace hearth::plan {

enum class Phase : std::uint8_t { prefill, decode };
std::string_view phase_name(Phase phase);

struct UsableRow {
  const Measurement* row = nullptr;
  KernelKey key{};
  double prior_s = 0;     // what the row measured would take by the prior
  double measured_s = 0;  // and what it took
  double measured_tok_s = 0;
  PrefillParts prefill{};
  DecodeParts decode{};
};

// The rule that keeps a row out, in words, or the row made ready. The catalogue must outlive it.
std::variant<std::string, UsableRow> examine(const Catalog& catalog, const Measurement& row,
                                             Phase phase);

// Every row of the catalogue that the rules admit.
std::vector<UsableRow> usable_rows(const Catalog& catalog, Phase phase);
Observation observation_of(const UsableRow& usable);
Calibration calibrate(const std::vector<UsableRow>& rows);

}  // namespace hearth::plan
