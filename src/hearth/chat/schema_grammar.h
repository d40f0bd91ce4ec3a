#pragma once
// JSON Schema to GBNF. Every string that the grammar generates validates against the schema; some
// valid spellings (free white space, exponents within bounds, undeclared properties of an open
// object) are not generated. Properties stand in the order of the schema, optional ones may be
// left out; the size grows linearly with the schema. Pure.

#include "hearth/chat/gbnf.h"
#include "hearth/chat/schema.h"

namespace hearth::chat {

// A rule for a JSON value. `path`: of the schema, in errors. unsupported where references lead too deep.
Result<std::string> value_rule(GbnfBuilder& grammar, const Schema& schema, std::string_view path);

// A rule for the arguments of a call in tags: <parameter=NAME>\nVALUE\n</parameter>\n for each,
// strings as they are and all else as JSON. unsupported when the schema is not an object.
Result<std::string> tag_arguments_rule(GbnfBuilder& grammar, const Schema& schema,
                                       std::string_view path);

// Any JSON object.
std::string free_object_rule(GbnfBuilder& grammar);

// The whole grammar for one schema: what response_format needs.
Result<std::string> schema_to_gbnf(const Json& schema, std::string_view path = "schema");

}  // namespace hearth::chat
