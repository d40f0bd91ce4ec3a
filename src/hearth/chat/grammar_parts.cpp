#include "hearth/chat/grammar_parts.h"

#include <fmt/format.h>

#include <map>

#include "hearth/chat/number_range.h"
#include "hearth/chat/pattern.h"
#include "hearth/chat/schema_grammar.h"

namespace hearth::chat {
namespace {

constexpr std::string_view white_space = "(\" \" | \"\\n\" [ \\x09]{0,20})?";
constexpr int free_depth = 4;  // containers in containers where nothing is said about a value

std::string json_string(GbnfBuilder& grammar) {
  const std::string character = any_string_character(grammar, StringMode::json);
  return grammar.add("string", "\"\\\"\" " + character + "* \"\\\"\"");
}

std::string free_value(GbnfBuilder& grammar, int depth);

std::string free_container(GbnfBuilder& grammar, int depth, bool object) {
  const std::string ws = space(grammar);
  std::string item = free_value(grammar, depth - 1);
  if (object) item = json_string(grammar) + " " + ws + " \":\" " + ws + " " + item;
  item = grammar.add(object ? "member" : "item", item);
  return grammar.add(object ? "object" : "array",
                     fmt::format("\"{0}\" {1} ({2} (\",\" {1} {2})*)? {1} \"{3}\"",
                                 object ? "{" : "[", ws, item, object ? "}" : "]"));
}

std::string free_value(GbnfBuilder& grammar, int depth) {
  std::string any = "\"true\" | \"false\" | \"null\" | " + json_string(grammar) + " | " +
                    number_rule(grammar, {});
  if (depth > 0) {
    any += " | " + free_container(grammar, depth, true) + " | " +
           free_container(grammar, depth, false);
  }
  return grammar.add("value", any);
}

}  // namespace

void alternative(std::string& out, const std::string& branch) {
  if (!branch.empty()) out += (out.empty() ? "" : " | ") + branch;
}

std::string space(GbnfBuilder& grammar) { return grammar.add("ws", std::string(white_space)); }

std::string free_value(GbnfBuilder& grammar) { return free_value(grammar, free_depth); }

std::string free_object_rule(GbnfBuilder& grammar) {
  return free_container(grammar, free_depth, /*object=*/true);
}

std::string other_names(GbnfBuilder& grammar, const std::vector<std::u32string>& names,
                        std::size_t matched, const CharSet& characters, const std::string& any) {
  std::map<char32_t, std::vector<std::u32string>> branches;
  bool taken = false;
  for (const std::u32string& name : names) {
    if (name.size() == matched) {
      taken = true;
    } else if (contains(characters, name[matched])) {
      branches[name[matched]].push_back(name);
    }
  }
  if (branches.empty() && !taken) return any;
  CharSet rest = characters;
  std::string body;
  for (const auto& [character, longer] : branches) {
    rest = without(rest, character);
    alternative(body, gbnf_class({{character, character}}) + " " +
                          other_names(grammar, longer, matched + 1, characters, any));
  }
  if (!rest.empty()) alternative(body, gbnf_class(rest) + " " + any);
  return grammar.add("name", taken ? "(" + body + ")" : "(" + body + ")?");
}

}  // namespace hearth::chat
