#pragma once
// Intersection of two schemas, for allOf and for keywords beside anyOf. Internal to chat.

#include "hearth/base/json.h"
#include "hearth/base/result.h"

namespace hearth::chat {

// A schema that allows what both allow; unsupported, naming the path, when that cannot be said in
// the subset. Neither has $ref or allOf at its top.
Result<Json> merge_schemas(const Json& a, const Json& b, const std::string& path);

// What annotates and does not restrict: title, description, default, ...
bool is_annotation(std::string_view keyword);

}  // namespace hearth::chat
