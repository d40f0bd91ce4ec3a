// The schemas of tests/golden/chat/schema: what validates, what does not, what is refused; and that
// the grammar and the validator, which share nothing but the compiled schema, agree.
#include "hearth/chat/schema.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>

#include "hearth/base/random.h"
#include "hearth/base/utf8.h"
#include "hearth/chat/python_json.h"
#include "hearth/chat/schema_grammar.h"
#include "support/chat_json.h"
#include "support/gbnf_interpreter.h"

namespace hearth::chat {
namespace {

using test::Gbnf;
using test::read_text;

Json load(const char* name) {
  const auto path = std::filesystem::path(HEARTH_SOURCE_DIR) / "tests/golden/chat/schema" / name;
  return parse_json(read_text(path)).value();
}

Gbnf grammar_of(const Json& schema) {
  const auto text = schema_to_gbnf(schema);
  EXPECT_TRUE(text) << text.error().message;
  auto grammar = Gbnf::parse(text.value_or("root ::= \"x\"\n"));
  EXPECT_TRUE(grammar) << grammar.error().message << "\n" << text.value_or("");
  return *std::move(grammar);
}

TEST(Schema, AcceptsAndRejectsValues) {
  const Json cases = load("accepted.json");
  ASSERT_GT(cases.as_array().size(), 80u);
  for (const Json& c : cases.as_array()) {
    SCOPED_TRACE(c.find("name")->as_string());
    const auto schema = Schema::compile(*c.find("schema"), "s");
    ASSERT_TRUE(schema) << schema.error().message;
    for (const Json& value : c.find("valid")->as_array()) {
      const auto result = schema->validate(value);
      EXPECT_TRUE(result) << dump_json(value) << result.error().message;
    }
    for (const Json& value : c.find("invalid")->as_array()) {
      EXPECT_FALSE(schema->validate(value)) << dump_json(value);
    }
  }
}

TEST(Schema, RefusesWhatItCannotEnforceAndNamesThePath) {
  const Json cases = load("refused.json");
  for (const Json& c : cases.as_array()) {
    const auto schema = Schema::compile(*c.find("schema"), "s");
    ASSERT_FALSE(schema) << dump_json(c);
    EXPECT_TRUE(schema.error().code == Code::unsupported ||
                schema.error().code == Code::invalid_argument);
    EXPECT_TRUE(schema.error().message.starts_with(c.find("path")->as_string() + ":"))
        << schema.error().message << " for " << dump_json(c);
  }
}

TEST(SchemaGrammar, AcceptsValidValuesAndNoOthers) {
  const Json cases = load("accepted.json");
  for (const Json& c : cases.as_array()) {
    SCOPED_TRACE(c.find("name")->as_string());
    const Gbnf grammar = grammar_of(*c.find("schema"));
    for (const Json& value : c.find("valid")->as_array()) {
      EXPECT_TRUE(grammar.matches(dump_json(value))) << dump_json(value);
      EXPECT_TRUE(grammar.matches(python_json(value))) << python_json(value);
    }
    for (const Json& value : c.find("invalid")->as_array()) {
      EXPECT_FALSE(grammar.matches(dump_json(value))) << dump_json(value);
    }
  }
}

// Small damage to a text: what the grammar still takes must still be valid.
std::string mutate(std::string text, Random& random) {
  static constexpr std::string_view spare = "0123456789-+.eE\"\\{}[],: abtrufnl\n";
  const std::size_t at = random.below(text.size() + 1);
  const char c = spare[random.below(spare.size())];
  switch (random.below(4)) {
    case 0: text.insert(at, 1, c); break;
    case 1: if (at < text.size()) text.erase(at, 1 + random.below(3)); break;
    case 2: if (at < text.size()) text[at] = c; break;
    default: {
      const std::size_t from = random.below(text.size() + 1);
      text.insert(at, text.substr(from, random.below(12)));
    }
  }
  return text;
}

TEST(SchemaGrammar, EverythingItGeneratesValidates) {
  const Json cases = load("accepted.json");
  for (const Json& c : cases.as_array()) {
    SCOPED_TRACE(c.find("name")->as_string());
    const auto schema = Schema::compile(*c.find("schema"), "s").value();
    const Gbnf grammar = grammar_of(*c.find("schema"));
    Random random(11);
    for (int round = 0; round < 60; ++round) {
      const std::string text = grammar.derive(random, 5 + random.below(300));
      const auto value = parse_json(text);
      ASSERT_TRUE(value) << text << value.error().message;
      const auto valid = schema.validate(*value);
      ASSERT_TRUE(valid) << text << " " << valid.error().message;
      if (text.size() > 400) continue;
      for (int damage = 0; damage < 6; ++damage) {
        const std::string damaged = mutate(text, random);
        if (!is_valid_utf8(damaged) || !grammar.matches(damaged)) continue;
        const auto other = parse_json(damaged);
        ASSERT_TRUE(other) << damaged;
        ASSERT_TRUE(schema.validate(*other)) << damaged;
      }
    }
  }
}

TEST(SchemaGrammar, GrowsLinearlyWithOptionalProperties) {
  const auto rules = [](int count) {
    Json properties = Json::object();
    for (int i = 0; i < count; ++i) {
      properties.set("p" + std::to_string(i), Json::object({{"type", "string"}}));
    }
    const Json schema = Json::object({{"type", "object"}, {"properties", properties}});
    return grammar_of(schema).rule_count();
  };
  const std::size_t small = rules(20);
  EXPECT_LT(rules(40), small * 2 + 20);
  EXPECT_LT(rules(200), small * 11);
}

TEST(SchemaGrammar, OrdersPropertiesAsTheSchemaDoes) {
  const Json schema = parse_json(R"({"type":"object","properties":{"z":{"const":1},"a":{"const":2}},
                                     "required":["a","z"]})").value();
  const Gbnf grammar = grammar_of(schema);
  EXPECT_TRUE(grammar.matches(R"({"z":1,"a":2})"));
  EXPECT_FALSE(grammar.matches(R"({"a":2,"z":1})"));
}

TEST(SchemaGrammar, BoundsEveryNumberRange) {
  Random random(3);
  for (int round = 0; round < 400; ++round) {
    const auto a = static_cast<std::int64_t>(random.below(20000)) - 10000;
    const auto b = a + static_cast<std::int64_t>(random.below(3000));
    const double scale = random.chance(0.5) ? 1 : 100;
    const Json low = scale == 1 ? Json(a) : Json(static_cast<double>(a) / scale);
    const Json high = scale == 1 ? Json(b) : Json(static_cast<double>(b) / scale);
    const Json schema = Json::object({{"type", scale == 1 ? "integer" : "number"},
                                      {"minimum", low}, {"maximum", high}});
    const Gbnf grammar = grammar_of(schema);
    const auto compiled = Schema::compile(schema, "s").value();
    for (int probe = 0; probe < 40; ++probe) {
      const auto x = a - 40 + static_cast<std::int64_t>(
          random.below(static_cast<std::uint64_t>(b - a) + 80));
      const Json value = scale == 1 ? Json(x) : Json(static_cast<double>(x) / scale);
      ASSERT_EQ(grammar.matches(dump_json(value)), compiled.validate(value).has_value())
          << dump_json(schema) << dump_json(value);
    }
  }
}

TEST(SchemaGrammar, TagArgumentsAreRawText) {
  const Json json = parse_json(R"({"type":"object","required":["code","n"],"properties":{
      "code":{"type":"string"},"n":{"type":"integer","minimum":1,"maximum":9},
      "kind":{"enum":["a","b",3]},"list":{"type":"array","items":{"type":"string"}}}})").value();
  const auto schema = Schema::compile(json, "s").value();
  GbnfBuilder builder;
  const auto rule = tag_arguments_rule(builder, schema, "s");
  ASSERT_TRUE(rule);
  const auto grammar = Gbnf::parse(builder.text(*rule).value()).value();
  const auto parameter = [](const std::string& name, const std::string& value) {
    return "<parameter=" + name + ">\n" + value + "\n</parameter>\n";
  };
  EXPECT_TRUE(grammar.matches(parameter("code", "if (a < b) </p> \"x\"\n</parameterx") +
                              parameter("n", "5")));
  EXPECT_TRUE(grammar.matches(parameter("code", "") + parameter("n", "9") +
                              parameter("kind", "a") + parameter("list", "[\"x\"]")));
  EXPECT_FALSE(grammar.matches(parameter("code", "a</parameter>b") + parameter("n", "5")));
  EXPECT_FALSE(grammar.matches(parameter("code", "a") + parameter("n", "0")));
  EXPECT_FALSE(grammar.matches(parameter("n", "5") + parameter("code", "a")));
}

// What a client sends may cost a second, not a thread for ever or its stack.
Json chain(std::size_t count, const std::function<Json(std::size_t)>& link, const Json& last) {
  Json definitions = Json::object();
  for (std::size_t i = 0; i < count; ++i) definitions.set(fmt::format("a{}", i), link(i + 1));
  definitions.set(fmt::format("a{}", count), last);
  return definitions;
}
Json reference_to(std::size_t i) { return Json::object({{"$ref", fmt::format("#/$defs/a{}", i)}}); }

TEST(Schema, ReferencesThatMultiplyAreRefused) {
  for (const char* keyword : {"allOf", "anyOf", "oneOf"}) {
    const auto thrice = [&](std::size_t i) {
      return Json::object({{keyword, Json::array({reference_to(i), reference_to(i), reference_to(i)})}});
    };
    Json schema = reference_to(0);
    schema.set("$defs", chain(30, thrice, Json::object({{"type", "string"}})));
    schema.set("enum", Json::array({1, 2, 3}));  // checked against all the rest
    const auto compiled = Schema::compile(schema, "s");
    ASSERT_FALSE(compiled) << keyword;
    EXPECT_EQ(compiled.error().code, Code::unsupported) << keyword << ": " << compiled.error().message;
  }
}

TEST(Schema, AValueThatWouldTakeForEverToCheckIsRefused) {
  // {"x": {"x": ... }} of a type that has two equal alternatives at each level, and fits neither.
  const Json schema = parse_json(R"({"$ref":"#/$defs/a","$defs":{"a":{"anyOf":[
      {"type":"object","properties":{"x":{"$ref":"#/$defs/a"}},"additionalProperties":false},
      {"type":"object","properties":{"x":{"$ref":"#/$defs/a"}},"additionalProperties":false}]}}})").value();
  const auto compiled = Schema::compile(schema, "s").value();
  Json value = Json(3);
  for (int i = 0; i < 60; ++i) value = Json::object({{"x", value}});
  const auto checked = compiled.validate(value);
  ASSERT_FALSE(checked);
  EXPECT_TRUE(compiled.validate(parse_json(R"({"x":{"x":{}}})").value()));
}

TEST(Schema, ALongChainOfReferencesIsRefusedWithoutARecursionAsDeep) {
  // Compiled from its end, so that nothing is deep then.
  const auto link = [](std::size_t i) {
    return Json::object({{"type", "object"}, {"properties", Json::object({{"x", reference_to(i)}})}});
  };
  constexpr std::size_t count = 2'000;
  Json properties = Json::object();
  for (std::size_t i = count; i-- > 0;) properties.set(fmt::format("p{}", i), reference_to(i));
  const Json schema = Json::object({{"type", "object"}, {"properties", properties},
                                    {"$defs", chain(count, link, Json::object({{"type", "null"}}))}});
  const auto grammar = schema_to_gbnf(schema);
  ASSERT_FALSE(grammar);
  EXPECT_EQ(grammar.error().code, Code::unsupported) << grammar.error().message;
  // What people write is far from that.
  Json shorter = reference_to(0);
  shorter.set("$defs", chain(30, link, Json::object({{"type", "null"}})));
  EXPECT_TRUE(schema_to_gbnf(shorter));
}

TEST(Schema, WideSchemasAreRefused) {
  Json values = Json::array();
  for (int i = 0; i < 10'001; ++i) values.push(i);
  EXPECT_FALSE(Schema::compile(Json::object({{"enum", values}}), "s"));
  values.as_array().pop_back();
  EXPECT_TRUE(Schema::compile(Json::object({{"enum", values}}), "s"));
  const Json both = Json::object({{"allOf", Json::array({Json::object({{"enum", values}}), Json::object({{"enum", values}})})}});
  EXPECT_FALSE(Schema::compile(both, "s")) << "each held against each";
}

TEST(Schema, PatternsAndWideMergesCostWhatTheyTake) {
  Json branches = Json::array();
  for (int i = 0; i < 200; ++i) {
    branches.push(Json::object({{"type", "string"}, {"pattern", fmt::format("{}a{{10000}}", i)}}));
  }
  EXPECT_FALSE(Schema::compile(Json::object({{"anyOf", branches}}), "s"));
  Json all = Json::array();
  for (int i = 0; i < 20; ++i) {
    Json wide = Json::object();
    for (int k = 0; k < 8'000; ++k) wide.as_object().emplace_back(fmt::format("note{}-{}", i, k), k);
    all.push(std::move(wide));
  }
  EXPECT_FALSE(Schema::compile(Json::object({{"allOf", all}}), "s"));
}

TEST(Schema, ATaggedUnionOfManyTypesIsAnOrdinaryThing) {
  Json branches = Json::array();
  for (int i = 0; i < 60; ++i) {
    Json properties = Json::object({{"kind", Json::object({{"const", fmt::format("kind{}", i)}})}});
    for (int k = 0; k < 49; ++k) properties.set(fmt::format("field{}", k), Json::object({{"type", "string"}}));
    branches.push(Json::object({{"type", "object"}, {"properties", properties}, {"required", Json::array({"kind"})}}));
  }
  const auto schema = Schema::compile(Json::object({{"oneOf", branches}}), "s");
  EXPECT_TRUE(schema) << schema.error().message;
}

// A rule that can be written, or none.
TEST(Schema, ValuesThatNoGrammarWritesMakeNoInvalidJson) {
  const std::string large = R"({"type":"integer","minimum":1600000000000000000})";
  const std::vector<std::string> none = {large, R"({"type":"array","minItems":1,"items":)" + large + "}",
                                         R"({"type":"string","minLength":9000000000000000000})", R"({"type":"string","pattern":"^[]$"})",
                                         R"({"$ref":"#/$defs/a","$defs":{"a":)" + large + "}}"};
  for (const std::string& schema : none) {
    EXPECT_FALSE(schema_to_gbnf(parse_json(schema).value())) << schema;
  }
  const std::vector<std::string> some = {R"({"type":"object","additionalProperties":)" + large + "}",
                                         R"({"type":"array","items":)" + large + "}", R"({"anyOf":[{"type":"null"},)" + large + "]}"};
  for (const std::string& schema : some) {
    const Json json = parse_json(schema).value();
    const auto compiled = Schema::compile(json, "s").value();
    const Gbnf grammar = grammar_of(json);
    Random random(7);
    for (int i = 0; i < 20; ++i) {
      const auto value = parse_json(grammar.derive(random, 100));
      ASSERT_TRUE(value) << schema;
      EXPECT_TRUE(compiled.validate(*value)) << schema;
    }
  }
}

TEST(Pattern, GroupsOfNothingAreNotRepeatedForEver) {
  EXPECT_FALSE(Pattern::parse("((((){10000}){10000}){10000}){10000}"));
  EXPECT_TRUE(Pattern::parse("(){10000}a"));
}

TEST(Pattern, SearchesUnlessAnchored) {
  const auto matches = [](const char* pattern, std::string_view text) {
    return Pattern::parse(pattern).value().matches(text);
  };
  EXPECT_TRUE(matches("b", "abc"));
  EXPECT_FALSE(matches("^b", "abc"));
  EXPECT_TRUE(matches("^a|c$", "xc"));
  EXPECT_FALSE(matches("^a|c$", "xcx"));
  EXPECT_TRUE(matches("^.$", "\xF0\x9F\x99\x82"));
  EXPECT_FALSE(matches("^.$", "\n"));
  EXPECT_TRUE(matches("^\\S+@\\S+$", "a@b"));
  EXPECT_TRUE(matches("^a{2,3}?$", "aaa"));
  EXPECT_FALSE(matches("^a{2,3}$", "aaaa"));
  EXPECT_FALSE(matches("a", "\xFF" "a"));
}

TEST(Pattern, IsLinearInTheText) {
  const auto pattern = Pattern::parse("^(a|aa)+(b|c)$").value();
  EXPECT_FALSE(pattern.matches(std::string(20'000, 'a')));
}

}  // namespace
}  // namespace hearth::chat
