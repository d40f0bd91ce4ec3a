#pragma once
// What `hearth catalog ls` and `show` print. Pure.

#include <string>
#include <string_view>

#include "hearth/base/json.h"
#include "hearth/plan/catalog/catalog.h"

namespace hearth::plan {

// kind: machines, links, clusters, models, quantisations, engines, measurements; not_found names
// them.
Result<std::string> list_text(const Catalog& catalog, std::string_view kind);
Result<Json> list_json(const Catalog& catalog, std::string_view kind);
// Everything known about one entry, by key or id, whatever its kind.
Result<Json> entry_json(const Catalog& catalog, std::string_view key);
std::string entry_text(const Json& entry);

}  // namespace hearth::plan
