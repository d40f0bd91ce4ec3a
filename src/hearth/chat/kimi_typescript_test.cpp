// Expectations follow the vendor's encoder, rule by rule.
#include "hearth/chat/kimi_typescript.h"

#include <gtest/gtest.h>

namespace hearth::chat {
namespace {

struct Case {
  const char* name;
  const char* parameters;
  const char* type;  // behind "(_: "
  std::size_t degraded = 0;
};

const Case cases[] = {
    {"no parameters", R"({})", "{}"},
    {"required before optional, each by name",
     R"({"properties": {"b": {"type": "string"}, "a": {"type": "integer"}, "c": {"type": "boolean"}},
         "required": ["c"]})",
     "{\n  c: boolean,\n  a?: number,\n  b?: string\n}"},
    {"description, constraints, default",
     R"({"properties": {"n": {"type": "number", "description": "how many\n\nof them", "minimum": 1,
                              "maximum": 2.5, "default": 2},
                        "s": {"type": "string", "pattern": "a+", "default": "aä"},
                        "t": {"type": "boolean", "default": true}}})",
     "{\n  // how many\n\n  // of them\n  // maximum: 2.5, minimum: 1\n  // Default: 2\n  n?: number,\n"
     "  // pattern: a+\n  // Default: \"aä\"\n  s?: string,\n  // Default: True\n  t?: boolean\n}"},
    {"a default of null is none", R"({"properties": {"a": {"type": "string", "default": null}}})",
     "{\n  a?: string\n}"},
    {"other fields", R"({"properties": {}, "additionalProperties": {"type": "integer"}})",
     "{\n  [k: string]: number\n}"},
    {"no other fields", R"({"properties": {"a": {"type": "null"}}, "additionalProperties": false})",
     "{\n  a?: null,\n  [k: string]: never\n}"},
    {"an enum", R"({"properties": {"a": {"enum": ["x", 1, null, true]}}})", "{\n  a?: \"x\" | 1 | None | True\n}"},
    {"an enum of another type", R"({"properties": {"a": {"type": "string", "enum": ["x", 1]}}})", "{\n  a?: any\n}", 1},
    {"an enum that may be null", R"({"properties": {"a": {"type": ["string", "null"], "enum": ["x", null]}}})",
     "{\n  a?: \"x\" | None\n}"},
    {"one of several",
     R"({"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}}]}}})",
     "{\n  a?: string | Array<number>\n}"},
    {"a list of types", R"({"properties": {"a": {"type": ["object", "array", "integer", "null"]}}})",
     "{\n  a?: {} | Array<any> | number | null\n}"},
    {"an array of anything",
     R"({"properties": {"a": {"type": "array"}, "b": {"type": "array", "items": {}},
                        "c": {"type": "array", "items": false}, "d": {"type": "array", "items": null},
                        "e": {"type": "array", "items": true, "minItems": 2}}})",
     "{\n  a?: Array<any>,\n  b?: Array<any>,\n  c?: Array<any>,\n  d?: Array<any>,\n"
     "  // minItems: 2\n  e?: Array<any>\n}"},
    {"an array whose items are described",
     R"({"properties": {"a": {"type": "array",
                              "items": {"type": "string", "description": "a name", "minLength": 1}}}})",
     "{\n  a?: Array<\n    // a name\n    // minLength: 1\n    string\n  >\n}"},
    {"an object in an object",
     R"({"properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]}},
         "required": ["a"]})",
     "{\n  a: {\n    b: string\n  }\n}"},
    {"a reference that leads nowhere", R"({"properties": {"a": {"$ref": "#/$defs/none"}}})", "{\n  a?: any\n}", 1},
    {"a schema without a type", R"({"properties": {"a": {"description": "what?"}}})", "{\n  // what?\n  a?: any\n}", 1},
};

TypeScriptTools declared(const char* parameters, std::string description = {}) {
  return typescript_tools(
      {{.name = "f", .description = std::move(description), .parameters = parse_json(parameters).value()}});
}

std::string in_namespace(const std::string& text) {
  return "# Tools\n\n## functions\nnamespace functions {\n" + text + "\n}\n";
}

TEST(KimiTypeScript, WritesEachKindOfSchemaAsTheVendorDoes) {
  for (const Case& one : cases) {
    const TypeScriptTools tools = declared(one.parameters);
    EXPECT_EQ(tools.text, in_namespace(std::string("type f = (_: ") + one.type + ") => any;")) << one.name;
    EXPECT_EQ(tools.types_degraded, one.degraded) << one.name;
  }
}

TEST(KimiTypeScript, DefinitionsStandBeforeTheDescriptionAndTheType) {
  const auto tools = declared(R"({"$defs": {"Point": {"type": "object", "description": "on a map",
                                                      "properties": {"x": {"type": "number"}}, "required": ["x"]}},
                                  "properties": {"at": {"$ref": "#/$defs/Point"}}})", "Goes there.");
  EXPECT_EQ(tools.text, in_namespace("// on a map\ninterface Point {\n  x: number\n}\n// Goes there.\n"
                                     "type f = (_: {\n  at?: Point\n}) => any;"));
}

TEST(KimiTypeScript, ParametersThatHoldThemselvesAreAnInterface) {
  const auto tools =
      declared(R"({"properties": {"next": {"$ref": "#"}, "at": {"type": "string"}}, "required": ["next"]})");
  EXPECT_EQ(tools.text, in_namespace("interface parameters {\n  at?: string,\n  next: parameters\n}\n"
                                     "type f = (_: parameters) => any;"));
}

}  // namespace
}  // namespace hearth::chat
