#include "hearth/chat/kimi_typescript.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "hearth/chat/python_json.h"

namespace hearth::chat {
namespace {

constexpr std::string_view definition_prefix = "#/$defs/";
constexpr std::string_view self_name = "parameters";  // the interface that "#" refers to
constexpr int schema_depth_max = 64;                  // json_depth_max bounds it as well

std::string deeper(const std::string& indent) { return indent + "  "; }

std::string comment(std::string_view text, const std::string& indent) {
  std::string out;
  while (true) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (!line.empty()) out.append(indent).append("// ").append(line);
    if (end == std::string_view::npos) return out;
    out += '\n';
    text.remove_prefix(end + 1);
  }
}

std::string_view text_of(const Json& schema, std::string_view key) {
  const Json* value = schema.find(key);
  return value != nullptr && value->is_string() ? std::string_view(value->as_string())
                                                : std::string_view();
}

bool holds(const Json& list, std::string_view text) {
  return list.is_array() && std::any_of(list.as_array().begin(), list.as_array().end(),
                                        [&](const Json& item) {
                                          return item.is_string() && item.as_string() == text;
                                        });
}

std::span<const std::string_view> constraint_keys(const Json& schema) {
  static constexpr std::array<std::string_view, 3> of_string = {"maxLength", "minLength",
                                                                "pattern"};
  static constexpr std::array<std::string_view, 2> of_number = {"maximum", "minimum"};
  static constexpr std::array<std::string_view, 2> of_array = {"maxItems", "minItems"};
  if (schema.find("anyOf") != nullptr || schema.find("enum") != nullptr ||
      schema.find("$ref") != nullptr) {
    return {};
  }
  const std::string_view type = text_of(schema, "type");
  if (type == "string") return of_string;
  if (type == "number" || type == "integer") return of_number;
  if (type == "array") return of_array;
  return {};
}

// The lines above a field or an array item: description, then constraints.
std::string docstring(const Json& schema, const std::string& indent) {
  std::string out;
  if (!schema.is_object()) return out;
  if (const auto description = text_of(schema, "description"); !description.empty()) {
    out += comment(description, indent) + "\n";
  }
  std::string constraints;
  for (const std::string_view key : constraint_keys(schema)) {
    const Json* value = schema.find(key);
    if (value == nullptr) continue;
    if (!constraints.empty()) constraints += ", ";
    constraints.append(key).append(": ").append(python_str(*value));
  }
  if (!constraints.empty()) out += indent + "// " + constraints + "\n";
  return out;
}

std::string_view scalar_name(std::string_view type) {
  if (type == "integer") return "number";
  if (type == "object") return "{}";
  if (type == "array") return "Array<any>";
  return type;
}

// What Python takes for false.
bool says_nothing(const Json& schema) {
  return schema.is_null() || (schema.is_bool() && !schema.as_bool()) ||
         (schema.is_object() && schema.as_object().empty()) || (schema.is_array() && schema.as_array().empty());
}

bool known_type(std::string_view type) {
  static constexpr std::array<std::string_view, 7> known = {
      "string", "number", "integer", "boolean", "null", "object", "array"};
  return std::find(known.begin(), known.end(), type) != known.end();
}

bool enum_fits(const Json& value, std::string_view type) {
  if (value.is_null()) return true;
  if (type == "string") return value.is_string();
  if (type == "number") return value.is_number() || value.is_bool();  // Python: bool is a number
  if (type == "integer") return value.is_integer() || value.is_bool();
  if (type == "boolean") return value.is_bool();
  return true;
}

// The type that enum values are checked against; nullopt when the vendor's code refuses it.
std::optional<std::string_view> enum_type(const Json& type) {
  if (type.is_string()) return std::string_view(type.as_string());
  if (!type.is_array()) return std::nullopt;
  const auto& list = type.as_array();
  if (!std::all_of(list.begin(), list.end(), [](const Json& t) { return t.is_string(); })) {
    return std::nullopt;
  }
  if (list.size() == 1) return std::string_view(list[0].as_string());
  if (list.size() != 2 || !holds(type, "null")) return std::nullopt;
  return std::string_view(list[list[0].as_string() == "null" ? 1 : 0].as_string());
}

class Encoder {
 public:
  explicit Encoder(std::size_t& degraded) : degraded_(degraded) {}

  std::string function(const Tool& tool) {
    const Json parameters =
        tool.parameters.is_object() ? sort_keys(tool.parameters) : Json::object();
    scan(parameters, 0);
    std::string out;
    if (self_reference_) out += self_interface(parameters) + "\n";
    const auto definitions = definitions_;
    for (const auto& [name, schema] : definitions) out += interface(name, *schema) + "\n";
    if (!tool.description.empty()) out += comment(tool.description, "") + "\n";
    const std::string type = self_reference_ ? std::string(self_name) : object(parameters, "");
    return out + "type " + tool.name + " = (_: " + type + ") => any;";
  }

 private:
  // Collects definitions and notices "#": both decide what stands before the type.
  void scan(const Json& schema, int depth) {
    if (!schema.is_object() || depth > schema_depth_max) return;
    if (const Json* definitions = schema.find("$defs"); definitions && definitions->is_object()) {
      for (const auto& [name, definition] : definitions->as_object()) {
        std::erase_if(definitions_, [&](const auto& known) { return known.first == name; });
        definitions_.emplace_back(name, &definition);
      }
    }
    if (text_of(schema, "$ref") == "#") self_reference_ = true;
    for (const std::string_view key : {"additionalProperties", "items"}) {
      if (const Json* inner = schema.find(key)) scan(*inner, depth + 1);
    }
    if (const Json* any = schema.find("anyOf"); any != nullptr && any->is_array()) {
      for (const Json& branch : any->as_array()) scan(branch, depth + 1);
    }
    if (const Json* properties = schema.find("properties"); properties && properties->is_object()) {
      for (const auto& [name, property] : properties->as_object()) scan(property, depth + 1);
    }
  }

  std::string self_interface(const Json& parameters) {
    std::string fields;
    const Json* properties = parameters.find("properties");
    if (properties != nullptr && properties->is_object()) {
      for (const auto& [name, schema] : properties->as_object()) {
        if (!fields.empty()) fields += ",\n";
        fields += field(name, schema, optional(parameters, name), "  ");
      }
    }
    if (!fields.empty()) fields = "\n" + fields + "\n";
    return "interface " + std::string(self_name) + " {" + fields + "}";
  }

  std::string interface(const std::string& name, const Json& schema) {
    std::string out;
    if (const auto text = text_of(schema, "description"); !text.empty()) {
      out = comment(text, "") + "\n";
    }
    return out + "interface " + name + " " + type(schema, "");
  }

  static bool optional(const Json& schema, const std::string& name) {
    const Json* required = schema.find("required");
    return required == nullptr || !holds(*required, name);
  }

  std::string field(const std::string& name, const Json& schema, bool is_optional,
                    const std::string& indent) {
    std::string out = docstring(schema, indent);
    const Json* fallback = schema.find("default");
    if (fallback != nullptr && !fallback->is_null()) {
      const bool number = fallback->is_number() || fallback->is_bool();
      out += indent + "// Default: " + (number ? python_str(*fallback) : python_json(*fallback)) +
             "\n";
    }
    return out + indent + name + (is_optional ? "?" : "") + ": " + type(schema, indent);
  }

  std::string object(const Json& schema, const std::string& indent) {
    const std::string inner = deeper(indent);
    std::string required;
    std::string optionals;
    const auto add = [](std::string& list, const std::string& text) {
      if (!list.empty()) list += ",\n";
      list += text;
    };
    const Json* properties = schema.find("properties");
    if (properties != nullptr && properties->is_object()) {  // sorted by name already
      for (const auto& [name, property] : properties->as_object()) {
        const bool is_optional = optional(schema, name);
        add(is_optional ? optionals : required, field(name, property, is_optional, inner));
      }
    }
    if (!optionals.empty()) add(required, optionals);
    if (const Json* more = schema.find("additionalProperties"); more && !more->is_null()) {
      const std::string value = more->is_bool() ? (more->as_bool() ? "any" : "never")
                                                : type(*more, inner);
      add(required, inner + "[k: string]: " + value);
    }
    if (required.empty()) return "{}";
    return "{\n" + required + "\n" + indent + "}";
  }

  std::string array(const Json& schema, const std::string& indent) {
    const Json* items = schema.find("items");
    if (items == nullptr || says_nothing(*items)) return "Array<any>";
    const std::string inner = deeper(indent);
    const std::string lines = docstring(*items, inner);
    if (lines.empty()) return "Array<" + type(*items, indent) + ">";
    return "Array<\n" + lines + inner + type(*items, inner) + "\n" + indent + ">";
  }

  std::string enumeration(const Json& schema, const Json& values) {
    const Json* declared = schema.find("type");
    std::string out;
    if (!values.is_array()) return degrade();
    for (const Json& value : values.as_array()) {
      if (declared != nullptr) {
        const auto wanted = enum_type(*declared);
        if (!wanted || !enum_fits(value, *wanted)) return degrade();
      }
      if (!out.empty()) out += " | ";
      out += value.is_string() ? '"' + value.as_string() + '"' : python_str(value);
    }
    return out;
  }

  std::string reference(const std::string& target) {
    if (target == "#") return std::string(self_name);
    if (!target.starts_with(definition_prefix)) return degrade();
    const std::string name = target.substr(target.rfind('/') + 1);
    const bool known = std::any_of(definitions_.begin(), definitions_.end(),
                                   [&](const auto& definition) { return definition.first == name; });
    return known ? name : degrade();
  }

  std::string unite(const Json::Array& branches, const std::string& indent) {
    std::string out;
    for (const Json& branch : branches) {
      if (!out.empty()) out += " | ";
      out += type(branch, indent);
    }
    return out;
  }

  std::string type_list(const Json::Array& types) {
    std::string out;
    for (const Json& item : types) {
      if (!item.is_string() || !known_type(item.as_string())) return degrade();
      if (!out.empty()) out += " | ";
      out += scalar_name(item.as_string());
    }
    return out;
  }

  std::string type(const Json& schema, const std::string& indent) {
    if (schema.is_bool()) return schema.as_bool() ? "any" : "null";
    if (!schema.is_object()) return degrade();
    if (const Json* target = schema.find("$ref")) {
      return target->is_string() ? reference(target->as_string()) : degrade();
    }
    if (const Json* any = schema.find("anyOf")) {
      return any->is_array() ? unite(any->as_array(), indent) : degrade();
    }
    if (const Json* values = schema.find("enum")) return enumeration(schema, *values);
    if (const Json* named = schema.find("type")) {
      if (named->is_array()) return type_list(named->as_array());
      if (!named->is_string()) return degrade();
      if (named->as_string() == "object") return object(schema, indent);
      if (named->as_string() == "array") return array(schema, indent);
      return std::string(scalar_name(named->as_string()));
    }
    return schema.as_object().empty() ? "any" : degrade();
  }

  std::string degrade() {
    ++degraded_;
    return "any";
  }

  std::size_t& degraded_;
  std::vector<std::pair<std::string, const Json*>> definitions_;
  bool self_reference_ = false;
};

}  // namespace

TypeScriptTools typescript_tools(const std::vector<Tool>& tools) {
  TypeScriptTools out;
  if (tools.empty()) return out;
  out.text = "# Tools\n\n## functions\nnamespace functions {\n";
  for (const Tool& tool : tools) {
    Encoder encoder(out.types_degraded);
    out.text += encoder.function(tool) + "\n";
  }
  out.text += "}\n";
  return out;
}

}  // namespace hearth::chat
