// SchemaCompiler: the types with keywords of their own, and the checks over the finished nodes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hearth/chat/formats.h"
#include "hearth/chat/gbnf.h"
#include "hearth/chat/number_range.h"
#include "hearth/chat/schema_compiler.h"

namespace hearth::chat {
namespace {

using Kind = SchemaNode::Kind;

constexpr int disjoint_depth_max = 8;
constexpr std::size_t property_name_bytes_max = 256;
// Hundreds of bytes each, twice: so patterns of a request take some hundred megabytes at most.
constexpr std::size_t values_a_pattern_node = 8;

std::unexpected<Error> wrong(const std::string& path, std::string_view what,
                             Code code = Code::invalid_argument) {
  return fail(code, fmt::format("{}: {}", path, what));
}

// Both drafts: a number of its own, or a flag on `minimum`.
Result<> read_bound(const Json& schema, std::string_view inclusive, std::string_view exclusive,
                    bool lower, std::optional<double>& bound, bool& strict,
                    const std::string& path) {
  bound = TRY(find<double>(schema, inclusive, path));
  const Json* other = schema.find(exclusive);
  if (other == nullptr) return {};
  if (other->is_bool()) {
    strict = other->as_bool();
    return {};
  }
  const double value = TRY(get<double>(schema, exclusive, path));
  if (!bound || (lower ? value >= *bound : value <= *bound)) {
    bound = value;
    strict = true;
  }
  return {};
}

std::optional<std::int64_t> integer_bound(std::optional<double> bound, bool strict, bool lower) {
  if (!bound) return std::nullopt;
  double value = lower ? std::ceil(*bound) : std::floor(*bound);
  if (strict && value == *bound) value += lower ? 1 : -1;
  return static_cast<std::int64_t>(std::clamp(value, -9e18, 9e18));
}

Result<std::shared_ptr<const Pattern>> compile_pattern(std::string_view source,
                                                       const std::string& path) {
  auto pattern = Pattern::parse(source);
  if (!pattern) {
    return std::unexpected(with_context(
        std::move(pattern).error(), fmt::format("{}: '{}' cannot be enforced", path, source)));
  }
  return std::make_shared<const Pattern>(*std::move(pattern));
}

}  // namespace

Result<SchemaNode> SchemaCompiler::number_node(const Json& schema, bool integer,
                                               const std::string& path) {
  SchemaNode out;
  out.kind = integer ? Kind::integer : Kind::number;
  NumberBounds& bounds = out.bounds;
  TRY(read_bound(schema, "minimum", "exclusiveMinimum", true, bounds.min, bounds.min_exclusive,
                 path));
  TRY(read_bound(schema, "maximum", "exclusiveMaximum", false, bounds.max, bounds.max_exclusive,
                 path));
  out.integer_min = integer_bound(bounds.min, bounds.min_exclusive, /*lower=*/true);
  out.integer_max = integer_bound(bounds.max, bounds.max_exclusive, /*lower=*/false);
  return out;
}

Result<SchemaNode> SchemaCompiler::string_node(const Json& schema, const std::string& path) {
  SchemaNode out;
  out.kind = Kind::string;
  out.length_min = TRY(get_or<std::uint64_t>(schema, "minLength", 0, path));
  out.length_max = TRY(find<std::uint64_t>(schema, "maxLength", path));
  const auto format = TRY(find<std::string>(schema, "format", path));
  if (const auto enforced = format ? format_pattern(*format) : std::string_view();
      !enforced.empty()) {
    out.pattern = TRY(compile_pattern(enforced, path + ".format"));
  }
  if (const auto pattern = TRY(find<std::string>(schema, "pattern", path))) {
    if (out.pattern) {
      return wrong(path,
                   "'format' and 'pattern' on one string cannot be enforced together; keep one",
                   Code::unsupported);
    }
    out.pattern = TRY(compile_pattern(*pattern, path + ".pattern"));
  }
  if (!out.pattern) return out;
  TRY(spend(out.pattern->compiled_nodes() * values_a_pattern_node, path));
  auto fitted = out.pattern->fitted(out.length_min, out.length_max);
  if (!fitted) {
    return wrong(path,
                 "'minLength' or 'maxLength' cannot be enforced beside this pattern or format; "
                 "write the length into the pattern, as in ^[a-z]{1,20}$",
                 Code::unsupported);
  }
  out.pattern_fitted = std::make_shared<const Pattern>(*std::move(fitted));
  return out;
}

Result<SchemaNode> SchemaCompiler::array_node(const Json& schema, const std::string& path) {
  SchemaNode out;
  out.kind = Kind::array;
  out.length_min = TRY(get_or<std::uint64_t>(schema, "minItems", 0, path));
  out.length_max = TRY(find<std::uint64_t>(schema, "maxItems", path));
  const Json* items = schema.find("items");
  if (items != nullptr && items->is_array()) {
    return wrong(path + ".items", "a list of schemas (a tuple) cannot be enforced; use an object",
                 Code::unsupported);
  }
  const Json anything(true);
  out.items = TRY(node(items != nullptr ? *items : anything, path + ".items"));
  return out;
}

Result<> SchemaCompiler::check_property_names(const Json& names, const std::string& path) {
  const NodeId id = TRY(node(names, path));
  const SchemaNode& rule = schema_.nodes_[id];
  const bool free_string = rule.kind == Kind::string && !rule.pattern &&
                           rule.length_min == 0 && !rule.length_max;
  if (rule.kind == Kind::any || free_string) return {};
  return wrong(path, "restricted property names cannot be enforced", Code::unsupported);
}

Result<SchemaNode> SchemaCompiler::object_node(const Json& schema, const std::string& path) {
  SchemaNode out;
  out.kind = Kind::object;
  if (const Json* names = schema.find("propertyNames")) {
    TRY(check_property_names(*names, path + ".propertyNames"));
  }
  std::vector<std::string> required;
  if (const Json* list = schema.find("required"); list != nullptr && !list->is_null()) {
    if (!list->is_array()) return wrong(path + ".required", "expected a list of names");
    for (const Json& name : list->as_array()) {
      if (!name.is_string()) return wrong(path + ".required", "expected names");
      TRY(spend(required.size(), path));
      if (std::find(required.begin(), required.end(), name.as_string()) == required.end()) {
        required.push_back(name.as_string());
      }
    }
  }
  const Json* properties = schema.find("properties");
  if (properties != nullptr && !properties->is_object()) {
    return wrong(path + ".properties", "expected an object");
  }
  const Json* additional = schema.find("additionalProperties");
  out.closed = additional != nullptr && additional->is_bool() && !additional->as_bool();
  const bool free_form = additional == nullptr && required.empty() &&
                         (properties == nullptr || properties->as_object().empty());
  if (!out.closed && (additional != nullptr || (free_form && properties == nullptr))) {
    const Json anything(true);
    out.additional = TRY(node(additional != nullptr ? *additional : anything,
                              path + ".additionalProperties"));
  }
  if (properties != nullptr) {
    for (const auto& [name, property] : properties->as_object()) {
      const NodeId id = TRY(node(property, path + ".properties." + name));
      TRY(spend(required.size(), path));
      out.properties.push_back({name, id, std::erase(required, name) > 0});
    }
  }
  const auto overlong = [](const auto& p) { return p.name.size() > property_name_bytes_max; };
  if (out.additional && std::any_of(out.properties.begin(), out.properties.end(), overlong)) {
    return wrong(path + ".properties",
                 fmt::format("names of more than {} bytes cannot be told from additional ones",
                             property_name_bytes_max),
                 Code::unsupported);
  }
  for (const std::string& name : required) {  // required, but not described
    const Json rest = out.closed ? Json(false) : additional != nullptr ? *additional : Json(true);
    out.properties.push_back({name, TRY(node(rest, path + ".required." + name)), true});
  }
  return out;
}

// Of one that has nothing within it: whether a grammar has a rule for some value. Grammars write no integers of more
// than 15 digits, and no string or list of more than a million parts.
bool SchemaCompiler::can_be_written(const SchemaNode& node) {
  GbnfBuilder scratch;
  if (node.length_min > GbnfBuilder::repeats_max) return false;
  switch (node.kind) {
    case Kind::integer: return !integer_rule(scratch, node.integer_min, node.integer_max).empty();
    case Kind::number: return !number_rule(scratch, node.bounds).empty();
    case Kind::string:
      return !node.pattern_fitted || !node.pattern_fitted->to_gbnf(scratch, StringMode::json).empty();
    default: return true;
  }
}

bool SchemaCompiler::possible_now(const SchemaNode& node) const {
  const auto possible = [&](NodeId id) { return schema_.nodes_[id].possible; };
  const bool lengths = !node.length_max || node.length_min <= *node.length_max;
  switch (node.kind) {
    case Kind::any:
    case Kind::null:
    case Kind::boolean: return true;
    case Kind::never: return false;
    case Kind::integer:
      return !node.integer_min || !node.integer_max || *node.integer_min <= *node.integer_max;
    case Kind::number: {
      const NumberBounds& b = node.bounds;
      if (!b.min || !b.max) return true;
      return b.min_exclusive || b.max_exclusive ? *b.min < *b.max : *b.min <= *b.max;
    }
    case Kind::string: return lengths;
    case Kind::array: return lengths && (node.length_min == 0 || possible(node.items));
    case Kind::object:
      return std::all_of(node.properties.begin(), node.properties.end(), [&](const auto& p) {
        return !p.required || possible(p.node);
      });
    case Kind::values: return !node.values.empty();
    case Kind::any_of: return std::any_of(node.branches.begin(), node.branches.end(), possible);
    case Kind::alias: return possible(node.target);
  }
  return true;
}

// Least fixed point: a schema that needs itself for ever has no values.
void SchemaCompiler::find_possible() {
  std::vector<SchemaNode*> open;  // of which nothing is known yet
  for (SchemaNode& node : schema_.nodes_) {
    node.possible = false;
    if (can_be_written(node)) open.push_back(&node);
  }
  const auto settle = [&](SchemaNode* node) { return node->possible = possible_now(*node); };
  while (std::erase_if(open, settle) > 0) {}
}

// A reference that comes back to itself without a value in between says nothing and would make the
// grammar left-recursive.
Result<> SchemaCompiler::check_loops() const {
  enum class Mark : std::uint8_t { fresh, open, done };
  std::vector<Mark> marks(schema_.nodes_.size(), Mark::fresh);
  std::vector<std::pair<NodeId, std::size_t>> stack;
  const auto next = [&](NodeId id, std::size_t i) -> std::optional<NodeId> {
    const SchemaNode& node = schema_.nodes_[id];
    if (node.kind == Kind::alias && i == 0) return node.target;
    if (node.kind == Kind::any_of && i < node.branches.size()) return node.branches[i];
    return std::nullopt;
  };
  for (NodeId start = 0; start < marks.size(); ++start) {
    if (marks[start] != Mark::fresh) continue;
    stack.emplace_back(start, 0);
    marks[start] = Mark::open;
    while (!stack.empty()) {
      const auto follow = next(stack.back().first, stack.back().second++);
      if (!follow) {
        marks[stack.back().first] = Mark::done;
        stack.pop_back();
      } else if (marks[*follow] == Mark::open) {
        return wrong(path_, "a $ref leads back to itself without an object or array in between");
      } else if (marks[*follow] == Mark::fresh) {
        marks[*follow] = Mark::open;
        stack.emplace_back(*follow, 0);
      }
    }
  }
  return {};
}

Result<> SchemaCompiler::check_alternatives_exclude(const std::vector<NodeId>& branches,
                                                    const std::string& path) {
  for (std::size_t i = 0; i < branches.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (disjoint(branches[i], branches[j], 0)) continue;
      return wrong(path,
                   fmt::format("alternatives {} and {} may both hold, which oneOf forbids and a "
                               "grammar cannot; use anyOf, or a required property with different "
                               "constants", j, i),
                   Code::unsupported);
    }
  }
  return {};
}

bool SchemaCompiler::disjoint_objects(const SchemaNode& a, const SchemaNode& b, int depth) {
  return std::any_of(a.properties.begin(), a.properties.end(), [&](const auto& mine) {
    if (!mine.required || !work_.take(b.properties.size())) return false;
    const auto other = std::find_if(b.properties.begin(), b.properties.end(),
                                    [&](const auto& p) { return p.name == mine.name; });
    if (other == b.properties.end()) return b.closed;
    return other->required && disjoint(mine.node, other->node, depth + 1);
  });
}

bool SchemaCompiler::disjoint(NodeId left, NodeId right, int depth) {
  const auto resolved = [&](NodeId id) -> const SchemaNode& {
    for (; schema_.nodes_[id].kind == Kind::alias; id = schema_.nodes_[id].target) (void)work_.take(1);
    return schema_.nodes_[id];
  };
  const SchemaNode& a = resolved(left);
  const SchemaNode& b = resolved(right);
  if (!a.possible || !b.possible) return true;
  if (depth > disjoint_depth_max || !work_.take(1)) return false;
  const auto all = [&](const SchemaNode& node, NodeId other) {
    return std::all_of(node.branches.begin(), node.branches.end(),
                       [&](NodeId branch) { return disjoint(branch, other, depth + 1); });
  };
  if (a.kind == Kind::any_of) return all(a, right);
  if (b.kind == Kind::any_of) return all(b, left);
  const auto none_valid = [&](const SchemaNode& values, NodeId other) {
    return std::none_of(values.values.begin(), values.values.end(), [&](const Json& value) {
      return schema_.validate(other, value, "", work_).has_value();
    });
  };
  if (a.kind == Kind::values) return none_valid(a, right);
  if (b.kind == Kind::values) return none_valid(b, left);
  if (a.kind == Kind::any || b.kind == Kind::any) return false;
  if (a.kind == Kind::object && b.kind == Kind::object) {
    return disjoint_objects(a, b, depth) || disjoint_objects(b, a, depth);
  }
  const bool a_number = a.kind == Kind::integer || a.kind == Kind::number;
  const bool b_number = b.kind == Kind::integer || b.kind == Kind::number;
  if (a_number && b_number) {
    return (a.bounds.max && b.bounds.min && *a.bounds.max < *b.bounds.min) ||
           (b.bounds.max && a.bounds.min && *b.bounds.max < *a.bounds.min);
  }
  return a.kind != b.kind;
}

}  // namespace hearth::chat
