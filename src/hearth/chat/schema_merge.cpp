#include "hearth/chat/schema_merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace hearth::chat {
namespace {

// All keywords that restrict values; JSON Schema calls every other an annotation.
constexpr std::array<std::string_view, 44> restrictions = {
    "$ref", "type", "enum", "const", "anyOf", "oneOf", "allOf", "not", "if", "then", "else",
    "properties", "required", "additionalProperties", "propertyNames", "patternProperties",
    "minProperties", "maxProperties", "dependentRequired", "dependentSchemas", "dependencies",
    "unevaluatedProperties", "items", "prefixItems", "additionalItems", "unevaluatedItems",
    "contains", "minContains", "maxContains", "minItems", "maxItems", "uniqueItems", "minLength",
    "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "multipleOf", "nullable", "$dynamicRef", "$recursiveRef"};

std::unexpected<Error> cannot(const std::string& path, std::string_view keyword) {
  return fail(Code::unsupported,
              fmt::format("{}: two different '{}' apply to the same value and cannot be combined; "
                          "write one schema for it", path, keyword));
}

std::uint64_t width(const Json& json) {
  if (json.is_array()) return json.as_array().size();
  return json.is_object() ? json.as_object().size() : 1;
}

// What looking for each key of one among those of the other, and of the result, costs: a comparison is a sixteenth of a copy.
std::uint64_t search_cost(const Json& a, const Json& b) {
  const std::uint64_t both = width(a) + width(b);
  return both * both / 16;
}

bool is_number_or_integer(std::string_view type) { return type == "number" || type == "integer"; }

std::vector<std::string> types_of(const Json& type) {
  std::vector<std::string> out;
  if (type.is_string()) out.push_back(type.as_string());
  if (type.is_array()) {
    for (const Json& item : type.as_array()) {
      if (item.is_string()) out.push_back(item.as_string());
    }
  }
  return out;
}

Json merge_types(const Json& a, const Json& b) {
  Json out = Json::array();
  for (const std::string& x : types_of(a)) {
    for (const std::string& y : types_of(b)) {
      if (x == y || (is_number_or_integer(x) && is_number_or_integer(y))) {
        out.push(Json(x == y ? x : std::string("integer")));
      }
    }
  }
  if (out.as_array().size() == 1) return Json(out.as_array()[0]);
  return out;
}

Json merge_required(const Json& a, const Json& b) {
  Json out = a;
  if (!out.is_array() || !b.is_array()) return out;
  for (const Json& name : b.as_array()) {
    const auto& list = out.as_array();
    if (std::find(list.begin(), list.end(), name) == list.end()) out.push(name);
  }
  return out;
}

Json merge_values(const Json& a, const Json& b) {
  Json out = Json::array();
  for (const Json& x : a.as_array()) {
    for (const Json& y : b.as_array()) {
      if (json_equal(x, y)) {
        out.push(x);
        break;
      }
    }
  }
  return out;
}

// A property that only one side declares is still subject to the other side's additionalProperties.
Result<Json> foreign_property(const Json& schema, const Json& other, const std::string& path,
                              SchemaWork& work) {
  const Json* rest = other.find("additionalProperties");
  if (rest == nullptr || (rest->is_bool() && rest->as_bool())) return schema;
  return merge_schemas(schema, *rest, path, work);
}

Result<Json> merge_properties(const Json& a, const Json& b, const std::string& path, SchemaWork& work) {
  Json out = Json::object();
  const Json none = Json::object();
  const Json* left = a.find("properties");
  const Json* right = b.find("properties");
  if (left == nullptr || !left->is_object()) left = &none;
  if (right == nullptr || !right->is_object()) right = &none;
  if (!work.take(search_cost(*left, *right))) return too_much_work(path);
  for (const auto& [name, schema] : left->as_object()) {
    const std::string at = path + ".properties." + name;
    const Json* twin = right->find(name);
    out.set(name, twin != nullptr ? TRY(merge_schemas(schema, *twin, at, work))
                                  : TRY(foreign_property(schema, b, at, work)));
  }
  for (const auto& [name, schema] : right->as_object()) {
    if (left->find(name) != nullptr) continue;
    out.set(name, TRY(foreign_property(schema, a, path + ".properties." + name, work)));
  }
  return out;
}

bool is_number(const Json& value) { return value.is_number(); }

Result<Json> merge_keyword(const std::string& key, const Json& x, const Json& y,
                           const std::string& path, SchemaWork& work) {
  static constexpr std::array<std::string_view, 4> lower = {"minimum", "exclusiveMinimum",
                                                            "minLength", "minItems"};
  static constexpr std::array<std::string_view, 4> upper = {"maximum", "exclusiveMaximum",
                                                            "maxLength", "maxItems"};
  (void)work.take(count_values(x) + count_values(y) + width(x) * width(y));  // lists are merged each with each
  if (work.is_spent()) return too_much_work(path);
  if (json_equal(x, y)) return x;
  const bool numbers = is_number(x) && is_number(y);
  if (numbers && std::find(lower.begin(), lower.end(), key) != lower.end()) {
    return x.as_double() > y.as_double() ? x : y;
  }
  if (numbers && std::find(upper.begin(), upper.end(), key) != upper.end()) {
    return x.as_double() < y.as_double() ? x : y;
  }
  if (key == "type") return merge_types(x, y);
  if (key == "required") return merge_required(x, y);
  if (key == "enum" && x.is_array() && y.is_array()) return merge_values(x, y);
  if (key == "items" || key == "additionalProperties") {
    return merge_schemas(x, y, path + "." + key, work);
  }
  return cannot(path, key);
}

}  // namespace

bool is_annotation(std::string_view keyword) {
  return std::find(restrictions.begin(), restrictions.end(), keyword) == restrictions.end();
}

std::uint64_t count_values(const Json& json) {
  std::uint64_t out = 1;
  if (json.is_array()) {
    for (const Json& item : json.as_array()) out += count_values(item);
  } else if (json.is_object()) {
    for (const auto& [name, member] : json.as_object()) out += count_values(member);
  }
  return out;
}

std::unexpected<Error> too_much_work(const std::string& path) {
  return fail(Code::unsupported,
              path + ": the schema takes too much work; have fewer references within references and alternatives "
                     "within alternatives");
}

Result<Json> merge_schemas(const Json& a, const Json& b, const std::string& path, SchemaWork& work) {
  if (!work.take(count_values(a) + count_values(b) + search_cost(a, b))) return too_much_work(path);
  if (a.is_bool()) return a.as_bool() ? b : a;
  if (b.is_bool()) return b.as_bool() ? a : b;
  if (!a.is_object() || !b.is_object()) {
    return fail(Code::invalid_argument, fmt::format("{}: expected a schema", path));
  }
  for (const char* keyword : {"$ref", "allOf"}) {
    if (a.find(keyword) != nullptr && b.find(keyword) != nullptr) return cannot(path, keyword);
  }
  Json out = a;
  const bool objects = a.find("properties") != nullptr || b.find("properties") != nullptr;
  if (objects) out.set("properties", TRY(merge_properties(a, b, path, work)));
  for (const auto& [key, value] : b.as_object()) {
    if (key == "properties") continue;
    const Json* mine = a.find(key);
    if (mine == nullptr) {
      out.set(key, value);
    } else if (!is_annotation(key)) {
      out.set(key, TRY(merge_keyword(key, *mine, value, path, work)));
    }
  }
  return out;
}

}  // namespace hearth::chat
