#pragma once
// The names under which clients ask for a model: any name means the one model that is served; with
// "+NAME" behind it, that model with one of its adapters. Pure functions.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/gateway/api.h"

namespace hearth::gateway {

// "kimi", or "kimi+voice".
std::string name_with_adapter(const std::string& model_id, std::string_view adapter);
// The model's own name, then one for each adapter.
std::vector<std::string> served_names(const std::string& model_id, std::span<const std::string> adapters);
// Empty: the bare model. An adapter that there is not is not_found: nobody gets another answer than
// the one that was asked for.
ApiResult<std::string> adapter_of(std::string_view asked, std::string_view model_id,
                                  std::span<const std::string> adapters);

}  // namespace hearth::gateway
