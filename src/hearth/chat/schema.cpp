#include "hearth/chat/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hearth/chat/schema_compiler.h"

namespace hearth::chat {
namespace {

using Kind = SchemaNode::Kind;

std::unexpected<Error> mismatch(const std::string& path, std::string_view wanted,
                                const Json& value) {
  return fail(Code::invalid_argument,
              fmt::format("{}: expected {}, got {}", path, wanted, value.kind_name()));
}
std::unexpected<Error> wrong(const std::string& path, std::string_view what) {
  return fail(Code::invalid_argument, fmt::format("{}: {}", path, what));
}

bool is_whole(const Json& value) {
  return value.is_integer() ||
         (value.is_number() && value.as_double() == std::floor(value.as_double()));
}

Result<> check_bounds(const NumberBounds& bounds, double value, const std::string& path) {
  const bool low = bounds.min && (bounds.min_exclusive ? value <= *bounds.min
                                                       : value < *bounds.min);
  const bool high = bounds.max && (bounds.max_exclusive ? value >= *bounds.max
                                                        : value > *bounds.max);
  if (low || high) return wrong(path, fmt::format("{} is out of bounds", value));
  return {};
}

Result<> check_length(const SchemaNode& node, std::uint64_t length, const std::string& path) {
  if (length < node.length_min || (node.length_max && length > *node.length_max)) {
    return wrong(path, fmt::format("has length {}", length));
  }
  return {};
}

constexpr int validation_depth_max = 192;  // values within values, and alternatives within alternatives
constexpr std::size_t pattern_steps_a_value = 16;

// One value held against one node, and what is within both.
class Validation {
 public:
  Validation(const Schema& schema, SchemaWork& work) : schema_(schema), work_(work) {}

  Result<> check(NodeId id, const Json& value, const std::string& path) {
    if (depth_ == validation_depth_max || !work_.take(1)) {
      (void)work_.take(SchemaWork::values_max + 1);  // it is not tried again
      return fail(Code::unsupported, path + ": checking this value takes too much work");
    }
    ++depth_;
    auto out = check_node(resolved(id), value, path);
    --depth_;
    return out;
  }

 private:
  const SchemaNode& resolved(NodeId id) {
    for (; schema_.node(id).kind == Kind::alias; id = schema_.node(id).target) (void)work_.take(1);
    return schema_.node(id);
  }
  Result<> check_node(const SchemaNode& node, const Json& value, const std::string& path);
  Result<> check_string(const SchemaNode& node, const Json& value, const std::string& path);
  Result<> check_array(const SchemaNode& node, const Json& value, const std::string& path);
  Result<> check_object(const SchemaNode& node, const Json& value, const std::string& path);

  const Schema& schema_;
  SchemaWork& work_;
  int depth_ = 0;
};

Result<> Validation::check_string(const SchemaNode& node, const Json& value, const std::string& path) {
  if (!value.is_string()) return mismatch(path, "a string", value);
  const auto characters = code_points(value.as_string());
  if (!characters) return wrong(path, "is not valid UTF-8");
  TRY(check_length(node, characters->size(), path));
  if (!node.pattern) return {};
  (void)work_.take(value.as_string().size() * node.pattern->size() / pattern_steps_a_value);
  if (!node.pattern->matches(value.as_string())) return wrong(path, "does not match the pattern");
  return {};
}

Result<> Validation::check_array(const SchemaNode& node, const Json& value, const std::string& path) {
  if (!value.is_array()) return mismatch(path, "an array", value);
  TRY(check_length(node, value.as_array().size(), path));
  for (std::size_t i = 0; i < value.as_array().size(); ++i) {
    TRY(check(node.items, value.as_array()[i], fmt::format("{}[{}]", path, i)));
  }
  return {};
}

Result<> Validation::check_object(const SchemaNode& node, const Json& value, const std::string& path) {
  if (!value.is_object()) return mismatch(path, "an object", value);
  (void)work_.take(node.properties.size() * value.as_object().size());
  for (const auto& property : node.properties) {
    const Json* member = value.find(property.name);
    if (member == nullptr && property.required) {
      return wrong(path + "." + property.name, "missing");
    }
    if (member != nullptr) TRY(check(property.node, *member, path + "." + property.name));
  }
  for (const auto& [name, member] : value.as_object()) {
    const bool declared = std::any_of(node.properties.begin(), node.properties.end(),
                                      [&](const auto& p) { return p.name == name; });
    if (declared) continue;
    if (node.closed) return wrong(path + "." + name, "not a property of this object");
    if (node.additional) TRY(check(*node.additional, member, path + "." + name));
  }
  return {};
}

Result<> Validation::check_node(const SchemaNode& node, const Json& value, const std::string& path) {
  switch (node.kind) {
    case Kind::any: return {};
    case Kind::never: return wrong(path, "nothing is allowed here");
    case Kind::null:
      if (!value.is_null()) return mismatch(path, "null", value);
      return {};
    case Kind::boolean:
      if (!value.is_bool()) return mismatch(path, "true or false", value);
      return {};
    case Kind::integer:
      if (!is_whole(value)) return mismatch(path, "an integer", value);
      return check_bounds(node.bounds, value.as_double(), path);
    case Kind::number:
      if (!value.is_number()) return mismatch(path, "a number", value);
      return check_bounds(node.bounds, value.as_double(), path);
    case Kind::string: return check_string(node, value, path);
    case Kind::array: return check_array(node, value, path);
    case Kind::object: return check_object(node, value, path);
    case Kind::values:
      (void)work_.take(node.values.size());
      if (std::none_of(node.values.begin(), node.values.end(),
                       [&](const Json& allowed) { return json_equal(allowed, value); })) {
        return wrong(path, "is none of the allowed values");
      }
      return {};
    case Kind::any_of:
      for (const NodeId branch : node.branches) {
        if (check(branch, value, path)) return {};
        if (work_.is_spent()) break;
      }
      return wrong(path, "fits none of the alternatives");
    case Kind::alias: break;
  }
  return wrong(path, "unknown schema");
}

}  // namespace

bool json_equal(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) return a.as_integer() == b.as_integer();
    return a.as_double() == b.as_double();
  }
  if (a.is_array() && b.is_array()) {
    return std::equal(a.as_array().begin(), a.as_array().end(), b.as_array().begin(),
                      b.as_array().end(), json_equal);
  }
  if (a.is_object() && b.is_object()) {
    return a.as_object().size() == b.as_object().size() &&
           std::all_of(a.as_object().begin(), a.as_object().end(), [&](const Json::Member& m) {
             const Json* other = b.find(m.first);
             return other != nullptr && json_equal(m.second, *other);
           });
  }
  return a == b;
}

Result<Schema> Schema::compile(const Json& schema, std::string_view path, SchemaWork& work) {
  return SchemaCompiler(schema, std::string(path), work).compile();
}

Result<Schema> Schema::compile(const Json& schema, std::string_view path) {
  SchemaWork work;
  return compile(schema, path, work);
}

const SchemaNode& Schema::resolved(NodeId id) const {
  while (nodes_[id].kind == Kind::alias) id = nodes_[id].target;
  return nodes_[id];
}

const SchemaNode::Property* Schema::property(NodeId object, std::string_view name) const {
  const SchemaNode& node = resolved(object);
  for (const auto& property : node.properties) {
    if (property.name == name) return &property;
  }
  return nullptr;
}

Result<> Schema::validate(NodeId id, const Json& value, const std::string& path) const {
  SchemaWork work;
  return validate(id, value, path, work);
}

Result<> Schema::validate(NodeId id, const Json& value, const std::string& path, SchemaWork& work) const {
  return Validation(*this, work).check(id, value, path);
}

}  // namespace hearth::chat
