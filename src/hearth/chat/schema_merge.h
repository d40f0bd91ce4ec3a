#pragma once
// Intersection of two schemas, for allOf and for keywords beside anyOf. Internal to chat.

#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/chat/schema.h"

namespace hearth::chat {

// A schema that allows what both allow; unsupported, naming the path, when that cannot be said in
// the subset, or when the work is spent. Neither has $ref or allOf at its top.
Result<Json> merge_schemas(const Json& a, const Json& b, const std::string& path, SchemaWork& work);

// This one and all within it: what copying it costs.
std::uint64_t count_values(const Json& json);

// Of `path`: unsupported.
std::unexpected<Error> too_much_work(const std::string& path);

// What annotates and does not restrict: title, description, default, ...
bool is_annotation(std::string_view keyword);

}  // namespace hearth::chat
