#pragma once
// The tables [[upstream]] of hearth.toml. docs/upstreams.md lists their settings. Pure.

#include <string_view>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/upstream/spec.h"

namespace hearth::upstream {

inline constexpr std::size_t upstreams_max = 64;

// `tables` is the array of tables of a file called `name`; null gives none. All that is wrong is told at
// once, a line each.
Result<std::vector<EndpointSpec>> read_upstreams(const Json& tables, std::string_view name);

}  // namespace hearth::upstream
