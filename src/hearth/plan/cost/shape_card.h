#pragma once
// A model file's shape as the planner's card: real tensor sizes instead of the catalogue's.

#include "hearth/model/shape.h"
#include "hearth/plan/cost/card.h"

namespace hearth::plan {

// `variant` names it in output (the file's name). The catalogue lends the architecture's key, so
// that measurements of the same model count for the file; its numbers are not used. Errors:
// unsupported when it is not established how the architecture stores its KV.
Result<ModelCard> card_of_shape(const model::ModelShape& shape, const Catalog& catalog,
                                std::string_view variant);

}  // namespace hearth::plan
