#pragma once
// From JSON to SchemaNode. Internal to chat.

#include <map>

#include "hearth/chat/schema.h"

namespace hearth::chat {

class SchemaCompiler {
 public:
  SchemaCompiler(const Json& root, std::string path) : root_(root), path_(std::move(path)) {}
  Result<Schema> compile();

 private:
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
  bool disjoint(NodeId a, NodeId b, int depth) const;
  bool disjoint_objects(const SchemaNode& a, const SchemaNode& b, int depth) const;
  void find_possible();
  bool possible_now(const SchemaNode& node) const;
  Result<> check_loops() const;

  const Json& root_;
  std::string path_;
  Schema schema_;
  std::map<std::string, NodeId> reference_nodes_;
  // oneOf is checked when all nodes are there.
  std::vector<std::pair<std::vector<NodeId>, std::string>> exclusive_;
  int depth_ = 0;
};

}  // namespace hearth::chat
