#pragma once
// JSON Schema, the subset that real tools use, understood once and used twice: to constrain what a
// model writes (schema_grammar.h) and to check it (validate). What is outside the subset is an
// error that names the path; nothing is ever silently loosened. docs/chat_formats.md lists the
// subset. Pure; a compiled schema is immutable.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/chat/number_range.h"
#include "hearth/chat/pattern.h"

namespace hearth::chat {

using NodeId = std::uint32_t;

struct SchemaNode {
  enum class Kind : std::uint8_t {
    any, never, null, boolean, integer, number, string, array, object,
    values,  // enum and const
    any_of,  // also oneOf, whose branches are known to exclude each other
    alias,   // $ref
  };
  struct Property {
    std::string name;
    NodeId node = 0;
    bool required = false;
  };

  Kind kind = Kind::any;
  std::optional<std::int64_t> integer_min;
  std::optional<std::int64_t> integer_max;
  NumberBounds bounds;
  std::uint64_t length_min = 0;  // of strings in code points, of arrays in items
  std::optional<std::uint64_t> length_max;
  std::shared_ptr<const Pattern> pattern;         // or format; what a string must match
  std::shared_ptr<const Pattern> pattern_fitted;  // ... with the lengths in it, for the grammar
  NodeId items = 0;
  std::vector<Property> properties;  // in the order of the schema
  // Other properties: what they must be; absent: the grammar writes none.
  std::optional<NodeId> additional;
  bool closed = false;             // other properties are an error
  std::vector<Json> values;
  std::vector<NodeId> branches;
  NodeId target = 0;
  bool possible = true;  // some value exists that a grammar can write; set after compilation
};

// What the schemas of one request may cost, counted in values that are looked at or copied. References and alternatives
// multiply: a few kilobytes of them could keep a thread busy for ever.
class SchemaWork {
 public:
  static constexpr std::uint64_t values_max = 4'000'000;  // about a second

  // False when there was not so much left, and from then on.
  bool take(std::uint64_t values) {
    is_spent_ = is_spent_ || values > left_;
    left_ -= is_spent_ ? left_ : values;
    return !is_spent_;
  }
  bool is_spent() const { return is_spent_; }

 private:
  std::uint64_t left_ = values_max;
  bool is_spent_ = false;
};

class Schema {
 public:
  static constexpr std::size_t nodes_max = 10'000;
  static constexpr std::size_t width_max = 10'000;  // of an object or a list in it

  // `path` names the schema in errors, such as "tools[2].parameters". unsupported when the work is spent.
  static Result<Schema> compile(const Json& schema, std::string_view path, SchemaWork& work);
  static Result<Schema> compile(const Json& schema, std::string_view path);

  NodeId root() const { return root_; }
  const SchemaNode& node(NodeId id) const { return nodes_[id]; }
  std::size_t size() const { return nodes_.size(); }
  // Through $ref.
  const SchemaNode& resolved(NodeId id) const;
  // Of an object; nullptr when it is not declared.
  const SchemaNode::Property* property(NodeId object, std::string_view name) const;
  // Referred to by $ref: such nodes may contain themselves.
  bool is_shared(NodeId id) const { return shared_[id]; }

  // invalid_argument with the path of the value that is wrong; unsupported when the work is spent.
  Result<> validate(const Json& value) const { return validate(root_, value, "$"); }
  Result<> validate(NodeId node, const Json& value, const std::string& path) const;
  Result<> validate(NodeId node, const Json& value, const std::string& path, SchemaWork& work) const;

 private:
  friend class SchemaCompiler;
  std::vector<SchemaNode> nodes_;
  std::vector<bool> shared_;
  NodeId root_ = 0;
};

// Equal as JSON Schema means it: 1 and 1.0 are equal, objects compare without order.
bool json_equal(const Json& a, const Json& b);

}  // namespace hearth::chat
