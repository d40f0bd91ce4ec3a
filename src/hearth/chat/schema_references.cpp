// SchemaCompiler: $ref and allOf.
#include <fmt/format.h>

#include <algorithm>

#include "hearth/chat/schema_compiler.h"
#include "hearth/chat/schema_merge.h"

namespace hearth::chat {
namespace {

constexpr int depth_max = 64;

std::unexpected<Error> unsupported(const std::string& path, std::string_view what) {
  return fail(Code::unsupported, fmt::format("{}: {}", path, what));
}
std::unexpected<Error> invalid(const std::string& path, std::string_view what) {
  return fail(Code::invalid_argument, fmt::format("{}: {}", path, what));
}

}  // namespace

Result<NodeId> SchemaCompiler::reference(const std::string& target, const std::string& path) {
  NodeId id = 0;
  if (const auto known = reference_nodes_.find(target); known != reference_nodes_.end()) {
    id = known->second;
  } else {
    const Json* schema = TRY(find_reference(target, path));
    id = TRY(add({}, path));  // a place for it, so that it can refer to itself
    reference_nodes_[target] = id;
    const NodeId compiled = TRY(node(*schema, target));
    schema_.nodes_[id].kind = SchemaNode::Kind::alias;
    schema_.nodes_[id].target = compiled;
  }
  SchemaNode alias;
  alias.kind = SchemaNode::Kind::alias;
  alias.target = id;
  return add(std::move(alias), path);
}

Result<const Json*> SchemaCompiler::find_reference(const std::string& target,
                                                   const std::string& path) const {
  if (!target.starts_with('#')) {
    return unsupported(path + ".$ref",
                       fmt::format("'{}' is outside this schema; only references that begin with # "
                                   "are followed", target));
  }
  const Json* at = &root_;
  std::string_view rest = std::string_view(target).substr(1);
  while (!rest.empty()) {
    if (rest[0] != '/') return unsupported(path + ".$ref", "expected a JSON pointer after #");
    rest.remove_prefix(1);
    const std::size_t end = std::min(rest.size(), rest.find('/'));
    std::string key(rest.substr(0, end));
    rest.remove_prefix(end);
    for (std::size_t i = 0; (i = key.find('~', i)) != std::string::npos; ++i) {
      if (i + 1 < key.size()) key.replace(i, 2, key[i + 1] == '1' ? "/" : "~");
    }
    const Json* next = at->find(key);
    if (next == nullptr && at->is_array() && !key.empty() && key.size() < 7 &&
        key.find_first_not_of("0123456789") == std::string::npos) {
      const std::size_t index = std::stoul(key);
      if (index < at->as_array().size()) next = &at->as_array()[index];
    }
    if (next == nullptr) {
      return invalid(path + ".$ref", fmt::format("'{}' leads nowhere", target));
    }
    at = next;
  }
  return at;
}

Result<Json> SchemaCompiler::flatten(const Json& schema, const std::string& path, int depth) {
  if (!schema.is_object()) return schema;
  if (depth > depth_max) return unsupported(path, "allOf or $ref that contains itself");
  const Json* target = schema.find("$ref");
  const Json* all = schema.find("allOf");
  TRY(spend(count_values(schema), path));
  if (target == nullptr && all == nullptr) return schema;
  Json merged = schema;
  merged.erase("$ref");
  merged.erase("allOf");
  if (target != nullptr) {
    if (!target->is_string()) return invalid(path + ".$ref", "expected a string");
    const Json* other = TRY(find_reference(target->as_string(), path));
    const Json flat = TRY(flatten(*other, path, depth + 1));
    merged = TRY(merge_schemas(merged, flat, path, work_));
  }
  if (all != nullptr) {
    if (!all->is_array()) return invalid(path + ".allOf", "expected a list of schemas");
    for (std::size_t i = 0; i < all->as_array().size(); ++i) {
      const std::string at = fmt::format("{}.allOf[{}]", path, i);
      const Json flat = TRY(flatten(all->as_array()[i], at, depth + 1));
      merged = TRY(merge_schemas(merged, flat, at, work_));
    }
  }
  return merged;
}

}  // namespace hearth::chat
