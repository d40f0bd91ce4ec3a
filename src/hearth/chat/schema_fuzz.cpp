// A JSON Schema from anywhere: either refused, or compiled into a grammar that is well formed and
// whose texts are valid.
#include <cstdint>

#include "hearth/base/check.h"
#include "hearth/base/random.h"
#include "hearth/chat/schema_grammar.h"
#include "support/gbnf_interpreter.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  using namespace hearth::chat;
  const auto json = parse_json({reinterpret_cast<const char*>(data), size});
  if (!json) return 0;
  const auto schema = Schema::compile(*json, "schema");
  if (!schema) return 0;
  const auto text = schema_to_gbnf(*json);
  if (!text || text->size() > 200'000) return 0;
  const auto grammar = test::Gbnf::parse(*text);
  CHECK(grammar.has_value());
  Random random(size);
  for (int round = 0; round < 4; ++round) {
    const std::string derived = grammar->derive(random, 100);
    if (derived.size() > 100'000) continue;
    const auto value = parse_json(derived);
    // Recursion may go deeper than JSON is read.
    if (!value) continue;
    CHECK(schema->validate(*value).has_value());
  }
  GbnfBuilder builder;
  (void)tag_arguments_rule(builder, *schema, "schema");
  return 0;
}
