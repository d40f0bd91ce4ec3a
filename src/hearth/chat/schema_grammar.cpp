#include "hearth/chat/schema_grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "hearth/chat/char_set.h"
#include "hearth/chat/grammar_parts.h"

namespace hearth::chat {
namespace {

using Kind = SchemaNode::Kind;

// Each level is some frames of a thread's stack; a reference is three levels.
constexpr int depth_max = 160;
constexpr std::string_view parameter_end = "</parameter>";

class Writer {
 public:
  Writer(GbnfBuilder& grammar, const Schema& schema)
      : grammar_(grammar), schema_(schema), ws_(space(grammar)) {}

  // Empty when no value is possible.
  Result<std::string> json(NodeId id, std::string_view path) {
    const std::string out = rule(id, StringMode::json);
    TRY(check_depth(path));
    return out;
  }

  Result<std::string> tag_arguments(std::string_view path) {
    const SchemaNode& node = schema_.resolved(schema_.root());
    if (node.kind != Kind::object) {
      return fail(Code::unsupported,
                  fmt::format("{}: the arguments of a tool must be described by one object", path));
    }
    std::string out;
    for (const auto& property : node.properties) {
      const std::string value = rule(property.node, StringMode::raw);
      if (value.empty() && property.required) {
        return fail(Code::unsupported,
                    fmt::format("{}.properties.{}: no value of it can be written between tags",
                                path, property.name));
      }
      if (value.empty()) continue;
      const std::string part = grammar_.add(
          "parameter", gbnf_literal("<parameter=" + property.name + ">\n") + " " + value + " " +
                           gbnf_literal("\n</parameter>\n"));
      out += (out.empty() ? "" : " ") + part + (property.required ? "" : "?");
    }
    const std::string other = node.additional ? rule(*node.additional, StringMode::raw) : "";
    if (!other.empty()) {
      const CharSet characters = {{'-', '.'}, {'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
      out += (out.empty() ? "(" : " (") + std::string("\"<parameter=\" ") +
             name_rule(node, characters, "+") + " \">\\n\" " + other + " \"\\n</parameter>\\n\"){0,8}";
    }
    TRY(check_depth(path));
    return out.empty() ? "\"\"" : grammar_.add("parameters", out);
  }

 private:
  using Key = std::pair<NodeId, StringMode>;

  Result<> check_depth(std::string_view path) const {
    if (!is_too_deep_) return {};
    return fail(Code::unsupported, fmt::format("{}: references lead too deep into the schema", path));
  }

  std::string rule(NodeId id, StringMode mode) {
    is_too_deep_ = is_too_deep_ || depth_ == depth_max;
    if (is_too_deep_) return {};
    ++depth_;
    std::string out = rule_within(id, mode);
    --depth_;
    return out;
  }

  std::string rule_within(NodeId id, StringMode mode) {
    const SchemaNode& node = schema_.node(id);
    if (!node.possible) return {};
    if (!schema_.is_shared(id)) return body_rule(node, mode);
    if (const auto known = shared_.find({id, mode}); known != shared_.end()) return known->second;
    if (mode == StringMode::raw) {  // such text contains nothing, so not itself; perhaps it cannot be written
      const std::string body = body_rule(node, mode);
      return shared_[{id, mode}] = body.empty() ? "" : grammar_.add("ref", body);
    }
    const std::string name = grammar_.reserve("ref");
    shared_[{id, mode}] = name;
    grammar_.define(name, body_rule(node, mode));
    return name;
  }

  std::string body_rule(const SchemaNode& node, StringMode mode) {
    const bool raw = mode == StringMode::raw;
    switch (node.kind) {
      case Kind::never: return {};
      case Kind::any:
        return raw ? raw_text() : free_value(grammar_);
      case Kind::null: return "\"null\"";
      case Kind::boolean: return grammar_.add("boolean", "\"true\" | \"false\"");
      case Kind::integer: return integer_rule(grammar_, node.integer_min, node.integer_max);
      case Kind::number: return number_rule(grammar_, node.bounds);
      case Kind::string: return string_rule(node, mode);
      case Kind::array: return array_rule(node);
      case Kind::object: return object_rule(node);
      case Kind::values: return values_rule(node, mode);
      case Kind::any_of: {
        std::string any;
        for (const NodeId branch : node.branches) alternative(any, rule(branch, mode));
        return any.empty() ? any : grammar_.add("any", any);
      }
      case Kind::alias: return rule(node.target, mode);
    }
    return {};
  }

  std::string string_rule(const SchemaNode& node, StringMode mode) {
    const bool raw = mode == StringMode::raw;
    std::string text;
    if (node.pattern_fitted) {
      text = node.pattern_fitted->to_gbnf(grammar_, mode);
      if (text.empty()) return {};
    } else if (raw && node.length_min == 0 && !node.length_max) {
      return raw_text();
    } else {
      text = grammar_.repeat(any_string_character(grammar_, mode), node.length_min,
                             node.length_max);
      if (text.empty()) return {};
    }
    return raw ? grammar_.add("text", text)
               : grammar_.add("string", "\"\\\"\" " + text + " \"\\\"\"");
  }

  // Text that does not contain </parameter>: one rule for each letter of it that has been read.
  std::string raw_text() {
    if (!raw_text_.empty()) return raw_text_;
    std::vector<std::string> states;
    for (std::size_t i = 0; i < parameter_end.size(); ++i) states.push_back(grammar_.reserve("text"));
    for (std::size_t i = 0; i < states.size(); ++i) {
      const auto next = static_cast<char32_t>(parameter_end[i]);
      const CharSet others = without(without(raw_writable(), '<'), next);
      std::string body = gbnf_class(others) + " " + states[0];
      if (i + 1 < states.size()) body += " | " + gbnf_class({{next, next}}) + " " + states[i + 1];
      if (i > 0) body += " | \"<\" " + states[1];
      grammar_.define(states[i], "(" + body + ")?");
    }
    return raw_text_ = states[0];
  }

  std::string array_rule(const SchemaNode& node) {
    const std::string item = schema_.node(node.items).possible ? rule(node.items, StringMode::json)
                                                               : std::string();
    const std::string open = "\"[\" " + ws_ + " ";
    const std::string close = " " + ws_ + " \"]\"";
    if (item.empty() || node.length_max == 0u) return grammar_.add("array", "\"[\" " + ws_ + " \"]\"");
    const std::string name = grammar_.add("item", item);
    const std::uint64_t more_min = node.length_min > 0 ? node.length_min - 1 : 0;
    const auto more_max =
        node.length_max ? std::optional(*node.length_max - 1) : std::optional<std::uint64_t>();
    const std::string list =
        name + " " + grammar_.repeat("\",\" " + ws_ + " " + name, more_min, more_max);
    return grammar_.add("array",
                        open + (node.length_min > 0 ? list : "(" + list + ")?") + close);
  }

  std::string name_rule(const SchemaNode& node, const CharSet& characters, const char* times) {
    std::vector<std::u32string> names;
    for (const auto& property : node.properties) {
      if (auto name = code_points(property.name)) names.push_back(std::move(*name));
    }
    const std::string any = grammar_.add("any-name", gbnf_class(characters) + "*");
    const std::string rule = other_names(grammar_, names, 0, characters, any);
    if (rule != any || *times == '*') return rule;
    return gbnf_class(characters) + times;
  }

  std::string member(const std::string& key, const std::string& value) {
    return grammar_.add("member", key + " " + ws_ + " \":\" " + ws_ + " " + value);
  }

  std::string additional_member(const SchemaNode& node) {
    if (!node.additional || !schema_.node(*node.additional).possible) return {};
    const CharSet characters = complement({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}, {0x7F, 0x7F}});
    return member("\"\\\"\" " + name_rule(node, characters, "*") + " \"\\\"\"",
                  rule(*node.additional, StringMode::json));
  }

  // Two rules for each property: nothing written yet, something written before. Optional ones are
  // passed over by either, so the size stays linear.
  std::string object_rule(const SchemaNode& node) {
    const std::string comma = "\",\" " + ws_ + " ";
    std::string head;  // what may follow "{" from here on; empty: nothing
    std::string tail;
    bool must = false;  // whether head must write something
    if (const std::string other = additional_member(node); !other.empty()) {
      tail = grammar_.add("more", "(" + comma + other + ")*");
      head = grammar_.add("first", other + " " + tail);
    }
    for (std::size_t i = node.properties.size(); i-- > 0;) {
      const auto& property = node.properties[i];
      if (!schema_.node(property.node).possible) continue;
      const std::string value = rule(property.node, StringMode::json);
      if (value.empty() && property.required) return {};
      if (value.empty()) continue;
      const std::string pair = member(gbnf_literal(dump_json(Json(property.name))), value);
      const std::string rest = tail.empty() ? "" : " " + tail;
      if (property.required) {
        head = grammar_.add("first", pair + rest);
        tail = grammar_.add("more", comma + pair + rest);
        must = true;
      } else {
        head = grammar_.add("first", pair + rest + (head.empty() ? "" : " | " + head));
        tail = grammar_.add("more", "(" + comma + pair + ")?" + rest);
      }
    }
    if (head.empty()) return grammar_.add("object", "\"{\" " + ws_ + " \"}\"");
    return grammar_.add("object", "\"{\" " + ws_ + " " + (must ? head : head + "?") + " " + ws_ +
                                      " \"}\"");
  }

  // One value, with the spaces that models put between its parts.
  std::string fixed_value(const Json& value) {
    std::string out;
    const auto part = [&](const std::string& text) {
      out += (out.empty() ? "" : " \",\" " + ws_ + " ") + text;
    };
    if (value.is_array() && !value.as_array().empty()) {
      for (const Json& item : value.as_array()) part(fixed_value(item));
      return "\"[\" " + ws_ + " " + out + " " + ws_ + " \"]\"";
    }
    if (value.is_object() && !value.as_object().empty()) {
      for (const auto& [key, item] : value.as_object()) {
        part(gbnf_literal(dump_json(Json(key))) + " " + ws_ + " \":\" " + ws_ + " " +
             fixed_value(item));
      }
      return "\"{\" " + ws_ + " " + out + " " + ws_ + " \"}\"";
    }
    return gbnf_literal(dump_json(value));
  }

  std::string values_rule(const SchemaNode& node, StringMode mode) {
    std::string any;
    for (const Json& value : node.values) {
      if (mode == StringMode::raw && value.is_string()) {
        if (value.as_string().find(parameter_end) != std::string::npos) continue;
        alternative(any, gbnf_literal(value.as_string()));
      } else {
        alternative(any, fixed_value(value));
      }
    }
    return any.empty() ? any : grammar_.add("enum", any);
  }

  GbnfBuilder& grammar_;
  const Schema& schema_;
  std::string ws_;
  std::string raw_text_;
  std::map<Key, std::string> shared_;
  int depth_ = 0;
  bool is_too_deep_ = false;
};

}  // namespace

Result<std::string> value_rule(GbnfBuilder& grammar, const Schema& schema, std::string_view path) {
  std::string rule = TRY(Writer(grammar, schema).json(schema.root(), path));
  if (rule.empty()) {
    return fail(Code::invalid_argument, "no value of this schema can be written");
  }
  return rule;
}

Result<std::string> tag_arguments_rule(GbnfBuilder& grammar, const Schema& schema,
                                       std::string_view path) {
  return Writer(grammar, schema).tag_arguments(path);
}

Result<std::string> schema_to_gbnf(const Json& schema, std::string_view path) {
  const Schema compiled = TRY(Schema::compile(schema, path));
  GbnfBuilder grammar;
  const std::string root = TRY(value_rule(grammar, compiled, path));
  return grammar.text(root);
}

}  // namespace hearth::chat
