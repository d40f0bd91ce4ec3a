#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "hearth/plan/catalog/load.h"

namespace hearth::plan {
namespace {

// TOML as it stands when it reads like a value, else a quoted text.
std::string toml_value(std::string_view value) {
  const bool literal =
      value == "true" || value == "false" || value.starts_with('[') || value.starts_with('"');
  const bool number = !value.empty() &&
                      std::ranges::all_of(value,
                                          [](char c) {
                                            return std::isdigit(static_cast<unsigned char>(c)) ||
                                                   c == '.' || c == '_' || c == '-' || c == 'e';
                                          }) &&
                      std::ranges::count(value, '-') <= 1 &&
                      std::isdigit(static_cast<unsigned char>(value.back()));
  if (literal || number) return std::string(value);
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= ' ') out += c;
  }
  return out + "\"";
}

}  // namespace

Result<std::string> render_new_entry(std::string_view kind, std::span<const std::string> fields) {
  static constexpr std::array<std::string_view, 6> kinds = {
      "machine", "link", "model", "engine", "measurement", "quantisation"};
  if (std::ranges::find(kinds, kind) == kinds.end()) {
    return fail(
        Code::invalid_argument,
        fmt::format(
            "cannot add a '{}'; add a machine, link, model, engine, measurement or quantisation",
            kind));
  }
  std::string text = fmt::format("[[{}]]\n", kind);
  bool confidence = false;
  for (const std::string& field : fields) {
    const std::size_t equals = field.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(
          Code::invalid_argument,
          fmt::format("'{}' is no KEY=VALUE, for example memory_bytes=137438953472", field));
    }
    const std::string key = field.substr(0, equals);
    confidence = confidence || key == "confidence";
    text += fmt::format("{} = {}\n", key, toml_value(std::string_view(field).substr(equals + 1)));
  }
  if (!confidence) text += "confidence = \"own\"\n";
  // Checked as the user's file will be: on top of what ships.
  const CatalogFile file{"new entry", text};
  Result<Catalog> loaded = load_shipped(std::span(&file, 1));
  if (!loaded) return std::unexpected(std::move(loaded).error());
  return text;
}

}  // namespace hearth::plan
