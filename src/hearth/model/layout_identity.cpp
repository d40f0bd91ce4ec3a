#include "hearth/model/layout_identity.h"

#include <fmt/format.h>

#include <bit>

namespace hearth::model {
namespace {

constexpr std::string_view layout_domain = "hearth layout 1";
constexpr std::size_t value_characters_max = 40;

// The digest walks the value itself, not its text: no way of printing a number can change a key.
void hash_json(Blake2b& hash, const Json& value) {
  if (value.is_object()) {
    hash.update("o").update_number<std::uint64_t>(value.as_object().size());
    for (const auto& [key, member] : value.as_object()) {
      hash.update_sized(key);
      hash_json(hash, member);
    }
  } else if (value.is_array()) {
    hash.update("a").update_number<std::uint64_t>(value.as_array().size());
    for (const Json& item : value.as_array()) hash_json(hash, item);
  } else if (value.is_string()) {
    hash.update("s").update_sized(value.as_string());
  } else if (value.is_integer()) {
    hash.update("i").update_number(value.as_integer());
  } else if (value.is_number()) {
    hash.update("d").update_number(std::bit_cast<std::uint64_t>(value.as_double()));
  } else if (value.is_bool()) {
    hash.update(value.as_bool() ? "t" : "f");
  } else {
    hash.update("n");
  }
}

std::string brief(const Json* value) {
  if (!value) return "nothing";
  std::string text = value->is_string() ? value->as_string() : dump_json(*value);
  if (text.size() > value_characters_max) {
    text.resize(value->is_string() && text.size() == 64 ? 12 : value_characters_max);
    text += "...";
  }
  return text;
}

using Difference = std::optional<std::string>;

Difference first_difference(const std::string& path, const Json& a, const Json& b);

Difference object_difference(const std::string& path, const Json& a, const Json& b) {
  for (const auto& [key, value] : a.as_object()) {
    const std::string at = path.empty() ? key : path + "." + key;
    const Json* other = b.find(key);
    if (!other) return fmt::format("{}: {} against nothing", at, brief(&value));
    if (auto found = first_difference(at, value, *other)) return found;
  }
  for (const auto& [key, value] : b.as_object()) {
    if (!a.find(key)) return fmt::format("{}{}{}: nothing against {}", path, path.empty() ? "" : ".", key, brief(&value));
  }
  return std::nullopt;
}

Difference array_difference(const std::string& path, const Json& a, const Json& b) {
  const auto& left = a.as_array();
  const auto& right = b.as_array();
  if (left.size() != right.size()) {
    return fmt::format("{}: {} items against {}", path, left.size(), right.size());
  }
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (auto found = first_difference(fmt::format("{}[{}]", path, i), left[i], right[i])) return found;
  }
  return std::nullopt;
}

Difference first_difference(const std::string& path, const Json& a, const Json& b) {
  if (a == b) return std::nullopt;
  if (a.is_object() && b.is_object()) return object_difference(path, a, b);
  if (a.is_array() && b.is_array()) return array_difference(path, a, b);
  return fmt::format("{}: {} against {}", path, brief(&a), brief(&b));
}

}  // namespace

LayoutDigest layout_digest(const LayoutIdentity& identity) {
  Blake2b hash;
  hash.update(layout_domain);
  hash_json(hash, identity_json(identity));
  return {hash.finish()};
}

std::optional<std::string> describe_difference(const LayoutIdentity& a, const LayoutIdentity& b) {
  return first_difference("", identity_json(a), identity_json(b));
}

}  // namespace hearth::model
