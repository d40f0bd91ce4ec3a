#include "hearth/chat/schema_compiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "hearth/chat/schema_merge.h"

namespace hearth::chat {
namespace {

using Kind = SchemaNode::Kind;

constexpr int depth_max = 64;

// Keywords that restrict values and that we do not do. `unevaluatedProperties` and the like would
// be loosened if they were ignored.
constexpr std::array<std::string_view, 21> refused = {
    "if", "then", "else", "patternProperties", "dependentRequired", "dependentSchemas",
    "dependencies", "unevaluatedProperties", "unevaluatedItems", "contains", "minContains",
    "maxContains", "prefixItems", "additionalItems", "maxProperties", "$dynamicRef",
    "$recursiveRef", "minProperties", "uniqueItems", "not", "multipleOf"};

constexpr std::array<std::string_view, 7> type_names = {"null",   "boolean", "integer", "number",
                                                        "string", "array",   "object"};

std::unexpected<Error> unsupported(const std::string& path, std::string_view what) {
  return fail(Code::unsupported, fmt::format("{}: {}", path, what));
}
std::unexpected<Error> invalid(const std::string& path, std::string_view what) {
  return fail(Code::invalid_argument, fmt::format("{}: {}", path, what));
}

bool is_number(const Json& value, double number) {
  return value.is_number() && value.as_double() == number;
}

// A refused keyword in a form that restricts nothing.
bool harmless(std::string_view keyword, const Json& value) {
  if (keyword == "uniqueItems") return value.is_bool() && !value.as_bool();
  if (keyword == "minProperties") return is_number(value, 0);
  if (keyword == "unevaluatedProperties" || keyword == "unevaluatedItems") {
    return value.is_bool() && value.as_bool();
  }
  if (keyword == "then" || keyword == "else") return false;
  return false;
}

bool says_never(const Json& schema) {
  const Json* inner = schema.find("not");
  return inner != nullptr && ((inner->is_object() && inner->as_object().empty()) ||
                              (inner->is_bool() && inner->as_bool()));
}

Result<> check_keywords(const Json& schema, const std::string& path) {
  const Json* type = schema.find("type");
  for (const auto& [key, value] : schema.as_object()) {
    if (std::find(refused.begin(), refused.end(), key) == refused.end()) continue;
    if (harmless(key, value)) continue;
    if (key == "multipleOf" && is_number(value, 1) && type != nullptr && type->is_string() &&
        type->as_string() == "integer") {
      continue;
    }
    return unsupported(path + "." + key,
                       "this keyword cannot be enforced while the model writes; leave it out, or "
                       "say it in the description");
  }
  return {};
}

// What an untyped schema is about, by its keywords; empty: nothing is said.
std::string_view implied_type(const Json& schema) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 14> hints = {{
      {"properties", "object"}, {"required", "object"}, {"additionalProperties", "object"},
      {"propertyNames", "object"}, {"items", "array"}, {"minItems", "array"},
      {"maxItems", "array"}, {"pattern", "string"}, {"minLength", "string"},
      {"maxLength", "string"}, {"minimum", "number"}, {"maximum", "number"},
      {"exclusiveMinimum", "number"}, {"exclusiveMaximum", "number"}}};
  for (const auto& [keyword, type] : hints) {
    if (schema.find(keyword) != nullptr) return type;
  }
  return {};
}

// The schema without a keyword; whether anything that restricts is left.
Json without(Json schema, std::string_view keyword) {
  schema.erase(keyword);
  return schema;
}
bool restricts(const Json& schema) {
  return std::any_of(schema.as_object().begin(), schema.as_object().end(),
                     [](const Json::Member& m) { return !is_annotation(m.first); });
}

}  // namespace

// Lists and objects are searched, and compared each with each.
Result<> SchemaCompiler::check_widths(const Json& part) const {
  const auto check = [&](std::size_t width) -> Result<> {
    if (width <= Schema::width_max) return {};
    return unsupported(path_, fmt::format("a list or object in the schema has {} entries; {} is the most", width,
                                          Schema::width_max));
  };
  if (part.is_array()) {
    TRY(check(part.as_array().size()));
    for (const Json& item : part.as_array()) TRY(check_widths(item));
  } else if (part.is_object()) {
    TRY(check(part.as_object().size()));
    for (const auto& [name, member] : part.as_object()) TRY(check_widths(member));
  }
  return {};
}

Result<> SchemaCompiler::spend(std::uint64_t values, const std::string& path) {
  if (!work_.take(values)) return too_much_work(path);
  return {};
}

Result<Schema> SchemaCompiler::compile() {
  TRY(check_widths(root_));
  schema_.root_ = TRY(node(root_, path_));
  TRY(check_loops());
  find_possible();
  for (const auto& [branches, path] : exclusive_) {
    const auto excluded = check_alternatives_exclude(branches, path);
    TRY(spend(0, path));  // which decides nothing
    TRY(excluded);
  }
  if (!schema_.nodes_[schema_.root_].possible) {
    return invalid(path_, "no value can satisfy this schema");
  }
  schema_.shared_.assign(schema_.nodes_.size(), false);
  for (const auto& [target, id] : reference_nodes_) schema_.shared_[id] = true;
  return std::move(schema_);
}

Result<NodeId> SchemaCompiler::add(SchemaNode node, const std::string& path) {
  if (schema_.nodes_.size() >= Schema::nodes_max) {
    return unsupported(path, fmt::format("the schema has more than {} parts", Schema::nodes_max));
  }
  schema_.nodes_.push_back(std::move(node));
  return static_cast<NodeId>(schema_.nodes_.size() - 1);
}

Result<NodeId> SchemaCompiler::node(const Json& schema, const std::string& path) {
  if (schema.is_bool()) {
    SchemaNode out;
    out.kind = schema.as_bool() ? Kind::any : Kind::never;
    return add(std::move(out), path);
  }
  if (!schema.is_object()) {
    return invalid(path, fmt::format("expected a schema, got {}", schema.kind_name()));
  }
  if (depth_ >= depth_max) return unsupported(path, "the schema is nested too deep");
  struct Deeper {
    int& depth;
    explicit Deeper(int& d) : depth(d) { ++depth; }
    ~Deeper() { --depth; }
  } deeper(depth_);
  TRY(spend(count_values(schema), path));

  const Json* target = schema.find("$ref");
  if (target != nullptr && !restricts(without(schema, "$ref"))) {
    if (!target->is_string()) return invalid(path + ".$ref", "expected a string");
    return reference(target->as_string(), path);
  }
  const Json flat = TRY(flatten(schema, path, 0));
  if (!flat.is_object()) return node(flat, path);
  if (says_never(flat)) return node(Json(false), path);
  TRY(check_keywords(flat, path));
  for (const std::string_view keyword : {"anyOf", "oneOf"}) {
    if (flat.find(keyword) != nullptr) return union_node(flat, keyword, path);
  }
  if (flat.find("enum") != nullptr || flat.find("const") != nullptr) {
    return values_node(flat, path);
  }
  std::vector<std::string> types;
  if (const Json* type = flat.find("type"); type != nullptr && type->is_string()) {
    types.push_back(type->as_string());
  } else if (type != nullptr && type->is_array()) {
    for (const Json& item : type->as_array()) {
      if (!item.is_string()) return invalid(path + ".type", "expected names of types");
      types.push_back(item.as_string());
    }
    if (types.empty()) return node(Json(false), path);
  } else if (type != nullptr) {
    return invalid(path + ".type", "expected the name of a type or a list of names");
  } else if (const auto implied = implied_type(flat); !implied.empty()) {
    types.emplace_back(implied);
  } else if (const Json* format = flat.find("format"); format && format->is_string()) {
    types.emplace_back("string");
  } else {
    return node(Json(true), path);
  }
  if (const Json* nullable = flat.find("nullable");
      nullable != nullptr && nullable->is_bool() && nullable->as_bool()) {
    types.emplace_back("null");
  }
  return types.size() == 1 ? typed(flat, types[0], path) : type_list(flat, std::move(types), path);
}

Result<NodeId> SchemaCompiler::union_node(const Json& schema, std::string_view keyword,
                                          const std::string& path) {
  const Json& list = *schema.find(keyword);
  const std::string at = fmt::format("{}.{}", path, keyword);
  if (!list.is_array() || list.as_array().empty()) {
    return invalid(at, "expected a list of at least one schema");
  }
  const Json rest = without(schema, keyword);
  SchemaNode out;
  out.kind = Kind::any_of;
  for (std::size_t i = 0; i < list.as_array().size(); ++i) {
    const std::string branch_path = fmt::format("{}[{}]", at, i);
    const Json& branch = list.as_array()[i];
    if (!restricts(rest)) {
      out.branches.push_back(TRY(node(branch, branch_path)));
      continue;
    }
    const Json flat = TRY(flatten(branch, branch_path, 0));
    const Json merged = TRY(merge_schemas(rest, flat, branch_path, work_));
    out.branches.push_back(TRY(node(merged, branch_path)));
  }
  if (keyword == "oneOf") exclusive_.emplace_back(out.branches, at);
  return add(std::move(out), path);
}

// enum and const, kept to the values that the other keywords allow.
Result<NodeId> SchemaCompiler::values_node(const Json& schema, const std::string& path) {
  Json::Array candidates;
  const Json* list = schema.find("enum");
  const Json* single = schema.find("const");
  if (list != nullptr && !list->is_array()) return invalid(path + ".enum", "expected a list");
  if (list != nullptr) candidates = list->as_array();
  if (single != nullptr && list != nullptr) {
    TRY(spend(candidates.size() * count_values(*single), path));
    std::erase_if(candidates, [&](const Json& value) { return !json_equal(value, *single); });
  } else if (single != nullptr) {
    candidates.push_back(*single);
  }
  Json rest = without(without(schema, "enum"), "const");
  SchemaNode out;
  out.kind = Kind::values;
  if (restricts(rest)) {
    const NodeId others = TRY(node(rest, path));
    TRY(check_loops());  // before anything follows references
    std::erase_if(candidates, [&](const Json& value) {
      return !schema_.validate(others, value, path, work_).has_value();
    });
    TRY(spend(0, path));
  }
  for (Json& value : candidates) out.values.push_back(std::move(value));
  return add(std::move(out), path);
}

Result<NodeId> SchemaCompiler::type_list(const Json& schema, std::vector<std::string> types,
                                         const std::string& path) {
  // "number" covers "integer": a union of both would say everything twice.
  if (std::find(types.begin(), types.end(), "number") != types.end()) std::erase(types, "integer");
  SchemaNode out;
  out.kind = Kind::any_of;
  for (const std::string& type : types) {
    out.branches.push_back(TRY(typed(schema, type, path)));
  }
  return add(std::move(out), path);
}

Result<NodeId> SchemaCompiler::typed(const Json& schema, const std::string& type,
                                     const std::string& path) {
  SchemaNode out;
  if (type == "null") {
    out.kind = Kind::null;
  } else if (type == "boolean") {
    out.kind = Kind::boolean;
  } else if (type == "integer" || type == "number") {
    out = TRY(number_node(schema, type == "integer", path));
  } else if (type == "string") {
    out = TRY(string_node(schema, path));
  } else if (type == "array") {
    out = TRY(array_node(schema, path));
  } else if (type == "object") {
    out = TRY(object_node(schema, path));
  } else {
    return invalid(path + ".type", fmt::format("'{}' is no type; expected one of {}", type,
                                               fmt::join(type_names, ", ")));
  }
  return add(std::move(out), path);
}

}  // namespace hearth::chat
