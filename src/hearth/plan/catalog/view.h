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
// Everything known about one entry, by key or id, whatever its kind; a kind's name is all of its entries, in a list.
Result<Json> shown_json(const Catalog& catalog, std::string_view key);
std::string shown_text(const Json& shown);

}  // namespace hearth::plan
