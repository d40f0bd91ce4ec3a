#pragma once
// From JSON to SchemaNode. Internal to chat.

#include <map>

#include "hearth/chat/schema.h"

namespace hearth::chat {

class SchemaCompiler {
 public:
  SchemaCompiler(const Json& root, std::string path, SchemaWork& work)
      : root_(root), path_(std::move(path)), work_(work) {}
  Result<Schema> compile();

 private:
  Result<> check_widths(const Json& part) const;
  // Fails when there is not so much left of what the request may cost.
  Result<> spend(std::uint64_t values, const std::string& path);
  Result<NodeId> node(const Json& schema, const std::string& path);
  Result<NodeId> add(SchemaNode node, const std::string& path);
  Result<NodeId> reference(const std::string& target, const std::string& path);
  Result<const Json*> find_reference(const std::string& target, const std::string& path) const;
  // allOf, and $ref with other keywords beside it, become one schema.
  Result<Json> flatten(const Json& schema, const std::string& path, int depth);
  Result<NodeId> union_node(const Json& schema, std::string_view keyword, const std::string& path);
  Result<NodeId> values_node(const Json& schema, const std::string& path);
  Result<NodeId> type_list(const Json& schema, std::vector<std::string> types,
                           const std::string& path);
  Result<NodeId> typed(const Json& schema, const std::string& type, const std::string& path);
  Result<SchemaNode> number_node(const Json& schema, bool integer, const std::string& path);
  Result<SchemaNode> string_node(const Json& schema, const std::string& path);
  Result<SchemaNode> array_node(const Json& schema, const std::string& path);
  Result<SchemaNode> object_node(const Json& schema, const std::string& path);
  Result<> check_property_names(const Json& names, const std::string& path);

  Result<> check_alternatives_exclude(const std::vector<NodeId>& branches, const std::string& path);
  bool disjoint(NodeId a, NodeId b, int depth);
  bool disjoint_objects(const SchemaNode& a, const SchemaNode& b, int depth);
  void find_possible();
  static bool can_be_written(const SchemaNode& node);
  bool possible_now(const SchemaNode& node) const;
  Result<> check_loops() const;

  const Json& root_;
  std::string path_;
  SchemaWork& work_;
  Schema schema_;
  std::map<std::string, NodeId> reference_nodes_;
  // oneOf is checked when all nodes are there.
  std::vector<std::pair<std::vector<NodeId>, std::string>> exclusive_;
  int depth_ = 0;
};

}  // namespace hearth::chat
