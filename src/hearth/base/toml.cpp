#include "hearth/base/toml.h"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 1
#include <fmt/format.h>
#include <toml++/toml.h>

#include <sstream>

namespace hearth {
namespace {

Json convert(const toml::node& node, int depth);

Json convert_table(const toml::table& table, int depth) {
  Json lines = Json::object({{"", table.source().begin.line}});
  Json out = Json::object({{std::string(lines_member), nullptr}});
  for (const auto& [key, value] : table) {
    lines.set(std::string(key.str()), key.source().begin.line);
    out.set(std::string(key.str()), convert(value, depth + 1));
  }
  out.set(std::string(lines_member), std::move(lines));
  return out;
}

template <class T>
std::string printed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

Json convert(const toml::node& node, int depth) {
  if (depth > json_depth_max) return {};
  if (const auto* table = node.as_table()) return convert_table(*table, depth);
  if (const auto* array = node.as_array()) {
    Json out = Json::array();
    for (const auto& item : *array) out.push(convert(item, depth + 1));
    return out;
  }
  if (const auto* v = node.as_string()) return Json(v->get());
  if (const auto* v = node.as_integer()) return Json(v->get());
  if (const auto* v = node.as_floating_point()) return Json(v->get());
  if (const auto* v = node.as_boolean()) return Json(v->get());
  if (const auto* v = node.as_date()) return Json(printed(v->get()));
  if (const auto* v = node.as_time()) return Json(printed(v->get()));
  if (const auto* v = node.as_date_time()) return Json(printed(v->get()));
  return {};
}

}  // namespace

Result<Json> parse_toml(std::string_view text, std::string_view name) {
  if (text.size() > toml_bytes_max) {
    return fail(Code::invalid_argument, fmt::format("{}: {} bytes; at most {} are read", name,
                                                    text.size(), toml_bytes_max));
  }
  const toml::parse_result parsed = toml::parse(text, name);
  if (!parsed) {
    const auto& error = parsed.error();
    return fail(Code::invalid_argument,
                fmt::format("{}:{}:{}: {}", name, error.source().begin.line,
                            error.source().begin.column, error.description()));
  }
  return convert_table(parsed.table(), 0);
}

std::int64_t toml_line(const Json& table, std::string_view key) {
  const Json* lines = table.find(lines_member);
  const Json* line = lines != nullptr ? lines->find(key) : nullptr;
  return line != nullptr && line->is_integer() ? line->as_integer() : 0;
}

}  // namespace hearth
